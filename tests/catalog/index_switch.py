"""A shop whose index is switched from one encoder to another, with parts that yield to other
tasks."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime
from typing import Any

from PIL.Image import Image

from operators.catalog.backfill import BackfillParts
from operators.catalog.parts import CatalogParts
from operators.ports import IndexedAttributes
from operators.vocabulary.views import indexed_attributes
from tests.catalog.small_shop import PICTURES, Shop
from tests.doubles import HashEncoder, InMemoryIndex, unit_vector


class Slow:
    """Yields to other tasks a seeded number of times before and after each call of a part."""

    def __init__(self, part: Any, rng: random.Random) -> None:
        self._part = part
        self._rng = rng

    def __getattr__(self, name: str) -> Any:
        wrapped = getattr(self._part, name)
        if not asyncio.iscoroutinefunction(wrapped):
            return wrapped

        async def call(*arguments: Any) -> Any:
            for _ in range(self._rng.randrange(4)):
                await asyncio.sleep(0)
            answer = await wrapped(*arguments)
            for _ in range(self._rng.randrange(4)):
                await asyncio.sleep(0)
            return answer

        return call


class Mirror:
    """The flow's mirror; writes only while ``on``."""

    def __init__(self, encoder: Any, index: Any) -> None:
        self.encoder, self.index = encoder, index
        self.on = True

    @property
    def fingerprint(self) -> str | None:
        return self.encoder.fingerprint if self.on else None

    async def upsert(self, key: str, image: Image, attributes: IndexedAttributes) -> None:
        if self.on:
            await self.index.upsert(key, await self.encoder.encode_image(image), attributes)

    async def patch(self, key: str, attributes: IndexedAttributes) -> None:
        if self.on:
            await self.index.patch(key, attributes)

    async def delete(self, key: str) -> None:
        if self.on:
            await self.index.delete(key)


class Switch:
    """A shop whose index is switched from one encoder to another."""

    def __init__(self, shop: Shop, rng: random.Random | None = None) -> None:
        self.shop = shop
        self.encoder = HashEncoder("encoder-b", dimension=24)
        self.index = InMemoryIndex("b")
        self.slept: list[float] = []

        def slow(part: Any) -> Any:
            return part if rng is None else Slow(part, rng)

        self.mirror = Mirror(self.encoder, slow(self.index))
        before = shop.parts()
        self.flow = CatalogParts(
            mappings=before.mappings,
            standardiser=before.standardiser,
            pictures=slow(shop.pictures),
            encoder=shop.encoder,
            index=slow(shop.index),
            ledger=slow(shop.ledger),
            thumbnails=shop.thumbnails,
            schedule=shop.schedule,
            mirror=self.mirror,
        )
        self.filling = BackfillParts(
            ledger=slow(shop.ledger),
            pictures=slow(shop.pictures),
            thumbnails=shop.thumbnails,
            encoder=self.encoder,
            index=slow(self.index),
            sleep=self.sleep,
        )

    async def sleep(self, seconds: float) -> None:
        """Time passes only in ``slept``."""
        self.slept.append(seconds)
        await asyncio.sleep(0)

    async def assert_index_equals_ledger(self) -> None:
        """The new index holds every product with its attributes and vector, and nothing else."""
        expected = {}
        async for entry in self.shop.ledger.scan():
            if entry.exists and entry.indexed:
                assert entry.image_url is not None
                image = PICTURES[entry.image_url]
                vector = unit_vector(b"encoder-b/" + image.tobytes(), 24)
                expected[entry.key] = (
                    vector.tobytes(),
                    indexed_attributes(entry, datetime.now(UTC)),
                )
        found = {key: (vector.tobytes(), a) for key, (vector, a) in self.index.objects.items()}
        assert found == expected
