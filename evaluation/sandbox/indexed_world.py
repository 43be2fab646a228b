"""A sandbox world's final catalog put straight into an index and a ledger, without the flow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from PIL import Image

from operators.ports import (
    ImageTextEncoder,
    IndexedAttributes,
    Thumbnails,
    Vector,
    VectorStore,
)
from operators.vocabulary.price_bucket import price_bucket
from sandbox.life import ProductTruth
from sandbox.life.world import World
from schemas.attributes import Attribute, StandardAttributes
from schemas.catalog import LedgerEntry, ProductUpdate
from schemas.money import Money


class MemoryLedger:
    """A :class:`operators.ports.Ledger` in a dict."""

    def __init__(self) -> None:
        self._entries: dict[str, LedgerEntry] = {}

    async def read(self, key: str) -> LedgerEntry | None:
        return self._entries.get(key)

    async def read_many(self, keys: Sequence[str]) -> list[LedgerEntry | None]:
        return [self._entries.get(key) for key in keys]

    async def write(self, entry: LedgerEntry) -> None:
        self._entries[entry.key] = entry

    async def scan(self) -> AsyncIterator[LedgerEntry]:
        for entry in list(self._entries.values()):
            yield entry

    async def close(self) -> None:
        return None


async def stock(
    world: World,
    encoder: ImageTextEncoder,
    index: VectorStore,
    ledger: MemoryLedger,
    thumbnails: Thumbnails | None = None,
) -> None:
    """Every live product of ``world``, with what its vendor tells and no more.

    A catalog of a few thousand products; pictures shared by products are embedded once.
    """
    products = world.truth().live().values()
    vectors: dict[str, Vector] = {}

    async def embed(product: ProductTruth) -> None:
        with Image.open(world.pictures / product.picture_file) as opened:
            picture = opened.convert("RGB")
        vectors[product.picture] = await encoder.encode_image(picture)
        if thumbnails is not None:
            for other in products:
                if other.picture == product.picture:
                    await thumbnails.put(other.key, picture)

    pictured = list({product.picture: product for product in products}.values())
    for start in range(0, len(pictured), 64):
        await asyncio.gather(*map(embed, pictured[start : start + 64]))
    await asyncio.gather(
        *(index.upsert(p.key, vectors[p.picture], _indexed(p)) for p in products),
        *(ledger.write(_entry(p)) for p in products),
    )


def _indexed(product: ProductTruth) -> IndexedAttributes:
    garment = product.garment
    return IndexedAttributes(
        department=garment.department,
        category=garment.type if product.category_told else None,
        gender=product.gender,
        colour=garment.colour if product.colour_told else None,
        pattern=garment.pattern if product.pattern_told else None,
        brand=product.brand.casefold(),
        market=product.market,
        sizes=(product.size,) if product.size else (),
        in_stock=product.in_stock,
        price_bucket=price_bucket(
            Money(amount_minor=product.price_minor, currency=product.currency)
        ),
        currency=product.currency,
        style=product.style,
        image_hash=product.picture,
    )


def _entry(product: ProductTruth) -> LedgerEntry:
    def told(value: str | None) -> Attribute | None:
        return None if value is None else Attribute(value=value, source="vendor", confidence=1.0)

    indexed = _indexed(product)
    return LedgerEntry(
        key=product.key,
        version=product.version,
        update=ProductUpdate(
            title=product.key,
            brand=product.brand,
            stock=product.stock,
            market=product.market,
            style_id=product.style,
            price=Money(amount_minor=product.price_minor, currency=product.currency),
        ),
        attributes=StandardAttributes(
            department=told(indexed.department),
            category=told(indexed.category),
            gender=told(indexed.gender),
            colour=told(indexed.colour),
            pattern=told(indexed.pattern),
            sizes=indexed.sizes,
        ),
        image_hash=product.picture,
        indexed=True,
    )
