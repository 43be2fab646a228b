"""Requests that tests send."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Callable
from typing import Any

from PIL import Image

from tests.matching.painted import outfit


def png(picture: Image.Image | None = None) -> bytes:
    out = io.BytesIO()
    (picture or outfit()).save(out, "PNG")
    return out.getvalue()


def image(picture: Image.Image | None = None) -> dict[str, str]:
    """As JSON."""
    return {"data": base64.b64encode(png(picture)).decode()}


def first_keys(event: dict[str, Any]) -> dict[str, str]:
    """Layer -> key of its first product."""
    return {
        layer["layer"]: layer["products"][0]["product"]["key"]
        for layer in event["layers"]
        if layer["products"]
    }


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for what another task does."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
