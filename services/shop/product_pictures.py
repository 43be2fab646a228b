"""The pictures of products at the size of a page: thumbnails are too small for it."""

from __future__ import annotations

import asyncio

import structlog

from schemas.catalog import LedgerEntry
from schemas.errors import LookSyncError
from schemas.looks import ImageReference
from services.api.admission import Coalescer
from services.api.context import Api
from services.api.look_pictures import LARGE, SMALL, Fit, reduced_jpeg

log = structlog.get_logger()

MOST = 6
"""Pictures of a product that are shown."""


class ProductPictures:
    """Fetches the vendors' own pictures; what was downloaded is in ``images.http_cache``."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._running: Coalescer[bytes | None] = Coalescer()

    async def read(self, key: str, number: int) -> bytes | None:
        """A picture of the product as JPEG; of its first one the thumbnail when the vendor's
        cannot be had. None: there is none."""
        entry = await self._api.parts.match.ledger.read(key)
        if entry is None or not entry.exists:
            return None
        urls = entry.update.image_urls[:MOST]
        if number < len(urls):
            url = urls[number]
            fit = LARGE if number == 0 else SMALL
            jpeg = await self._running.call(
                f"{fit.longest}/{url}", lambda: self._fetch(entry, url, fit)
            )
            if jpeg is not None:
                return jpeg
        return await self._api.parts.match.thumbnails.get(key) if number == 0 else None

    async def _fetch(self, entry: LedgerEntry, url: str, fit: Fit) -> bytes | None:
        vendor = entry.key.partition(":")[0]
        reference = ImageReference.model_construct(url=url, data=None)
        try:
            picture = await self._api.parts.match.pictures.fetch(reference, vendor)
        except LookSyncError as error:
            log.info("a product's picture is not shown", product=entry.key, why=str(error))
            return None
        return await asyncio.to_thread(reduced_jpeg, picture.image, fit)
