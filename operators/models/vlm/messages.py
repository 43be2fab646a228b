"""Chat messages in the format of OpenAI-compatible servers.

Pictures are sent as data URLs, so that the server fetches nothing itself.
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
Part = dict[str, Any]
"""Of a message's content."""

JPEG_QUALITY = 90


def encode_jpeg(picture: Image) -> bytes:
    """Encode a picture for sending."""
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=JPEG_QUALITY)
    return out.getvalue()


def picture_part(jpeg: bytes) -> Part:
    """A picture; one that goes into several messages is encoded once."""
    url = f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"
    return {"type": "image_url", "image_url": {"url": url}}


def text_part(text: str) -> Part:
    """A piece of text."""
    return {"type": "text", "text": text}


def user_message(content: Sequence[Part]) -> Message:
    """What the model is asked."""
    return {"role": "user", "content": [*content]}


def assistant_message(text: str) -> Message:
    """The answer whose likelihood is requested."""
    return {"role": "assistant", "content": text}


def response_format(answer: type[BaseModel]) -> dict[str, Any]:
    """The ``response_format`` that constrains the answer to this schema."""
    schema = {"name": answer.__name__, "schema": schema_of(answer), "strict": True}
    return {"type": "json_schema", "json_schema": schema}
