"""Chat messages as OpenAI-compatible servers take them.

Pictures travel as bytes in data URLs, never as addresses: the server fetches nothing. What many
calls share comes first (the look or region, then the text of a task is the same as well), so that
a server's prefix cache holds it.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

from PIL.Image import Image
from pydantic import BaseModel

from operators.models.vlm.answers import schema_of

Message = dict[str, Any]

JPEG_QUALITY = 90


def jpeg(picture: Image) -> bytes:
    """The picture as it is sent."""
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=JPEG_QUALITY)
    return out.getvalue()


def asking(pictures: Sequence[bytes], text: str) -> Message:
    """A user's message: pictures (JPEG), then the text about them."""
    content: list[dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": _data_url(picture)}} for picture in pictures
    ]
    return {"role": "user", "content": [*content, {"type": "text", "text": text}]}


def answering(text: str) -> Message:
    """The answer that a likelihood is asked of."""
    return {"role": "assistant", "content": text}


def forced(answer: type[BaseModel]) -> dict[str, Any]:
    """The response_format that lets the server say nothing but JSON of this schema."""
    schema = {"name": answer.__name__, "schema": schema_of(answer), "strict": True}
    return {"type": "json_schema", "json_schema": schema}


def _data_url(picture: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(picture).decode('ascii')}"
