"""Chat messages in the format of OpenAI-compatible servers.

Pictures are sent as data URLs, so that the server fetches nothing itself. Content shared by many
calls (the look or region) comes first, where the server's prefix cache can reuse it.
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


def encode_jpeg(picture: Image) -> bytes:
    """Encode a picture for sending."""
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=JPEG_QUALITY)
    return out.getvalue()


def user_message(pictures: Sequence[bytes], text: str) -> Message:
    """Pictures (JPEG), then the text."""
    content: list[dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": _data_url(picture)}} for picture in pictures
    ]
    return {"role": "user", "content": [*content, {"type": "text", "text": text}]}


def assistant_message(text: str) -> Message:
    """The answer whose likelihood is requested."""
    return {"role": "assistant", "content": text}


def response_format(answer: type[BaseModel]) -> dict[str, Any]:
    """The ``response_format`` that constrains the answer to this schema."""
    schema = {"name": answer.__name__, "schema": schema_of(answer), "strict": True}
    return {"type": "json_schema", "json_schema": schema}


def _data_url(picture: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(picture).decode('ascii')}"
