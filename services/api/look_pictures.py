"""The pictures of looks, small enough for a page."""

from __future__ import annotations

import asyncio
import io
from functools import lru_cache
from typing import NamedTuple

import structlog
from PIL.Image import Image, Resampling
from PIL.Image import open as open_image

from dataflows.wiring.online import OnlineParts
from schemas.errors import LookSyncError, Rejected
from schemas.looks import ImageReference, Look
from services.api.admission import Coalescer

log = structlog.get_logger()


class Fit(NamedTuple):
    """How large a picture may be."""

    longest: int
    """Side, in pixels."""
    most_bytes: int
    """About: the last of QUALITIES may give more."""


LARGE = Fit(800, 120_000)
"""A phone's width at twice the density, or half of a desktop's page."""
SMALL = Fit(540, 30_000)
"""One of several in a row. The bytes of both are what a feed's first picture and the tiles below
it may have to be there after 2.5 s on a slow phone (benchmarks/shop_pages.py)."""
QUALITIES = (82, 60, 35)
"""Of JPEG; the next one when the picture has more bytes than it may."""
AGAIN_SECONDS = 3600.0
"""A picture that has an address can be fetched again, so it is kept for an hour only."""


class LookPictures:
    """Keeps what is needed to show a look's pictures, and gives them."""

    def __init__(self, parts: OnlineParts) -> None:
        self._parts = parts
        self._reducing: Coalescer[bytes | None] = Coalescer()

    async def keep(self, look: Look) -> None:
        """Keep where the pictures of ``look`` are; those that were sent as bytes are reduced and
        kept themselves. Pictures that nobody can decode are left out. Raises Unavailable."""
        kept, references = self._parts.look_pictures, (look.image, *look.reference_images)
        for number, reference in enumerate(references):
            if reference.url is not None or await kept.get(look.look_id, number) is not None:
                continue
            try:
                jpeg = await self._reduced(reference)
            except Rejected as refused:
                log.info("a look's picture is not kept", look=look.look_id, why=str(refused))
            else:
                await kept.put(look.look_id, number, jpeg)
        await kept.note(look.look_id, [reference.url for reference in references])

    async def count(self, look_id: str) -> int:
        """How many pictures the look has: its own and the reference pictures."""
        return len(await self._parts.look_pictures.sources(look_id) or ())

    async def read(self, look_id: str, number: int = 0) -> bytes | None:
        """The look's picture as JPEG (0), or a reference picture; None: there is none.

        Raises Unavailable when its host does not answer.
        """
        kept = await self._parts.look_pictures.get(look_id, number)
        if kept is not None:
            return kept
        urls = await self._parts.look_pictures.sources(look_id) or []
        url = urls[number] if number < len(urls) else None
        if url is None:
            return None
        return await self._reducing.call(
            f"{number}/{look_id}", lambda: self._fetch(look_id, number, url)
        )

    async def _fetch(self, look_id: str, number: int, url: str) -> bytes | None:
        try:
            jpeg = await self._reduced(ImageReference(url=url, data=None))
        except Rejected:
            return None
        try:
            await self._parts.look_pictures.put(look_id, number, jpeg, AGAIN_SECONDS)
        except LookSyncError as error:
            log.warning("a picture cannot be kept", look=look_id, error=str(error))
        return jpeg

    async def _reduced(self, reference: ImageReference) -> bytes:
        picture = await self._parts.match.pictures.fetch(reference)
        return await asyncio.to_thread(reduced_jpeg, picture.image)


@lru_cache(maxsize=128)  # by content: nothing makes it wrong
def small_jpeg(jpeg: bytes) -> bytes:
    """``jpeg``, one of ours, as SMALL."""
    with open_image(io.BytesIO(jpeg)) as image:
        return reduced_jpeg(image, SMALL)


def reduced_jpeg(image: Image, fit: Fit = LARGE) -> bytes:
    """``image`` (RGB) as JPEG."""
    scale = min(1.0, fit.longest / max(image.size))
    if scale < 1.0:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Resampling.LANCZOS, reducing_gap=2.0)
    encoded = b""
    for quality in QUALITIES:
        out = io.BytesIO()
        image.save(out, "JPEG", quality=quality, progressive=True)
        encoded = out.getvalue()
        if len(encoded) <= fit.most_bytes:
            break
    return encoded
