"""Write a sandbox world's final catalog to an index and a ledger, without the flow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

from PIL import Image

from operators.catalog.standardise import Standardiser
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
from schemas.errors import UnreadableEntry
from schemas.money import Money


class MemoryLedger:
    """An in-memory :class:`operators.ports.Ledger`."""

    def __init__(self) -> None:
        self._entries: dict[str, LedgerEntry] = {}

    async def read(self, key: str) -> LedgerEntry | None:
        return self._entries.get(key)

    async def read_many(
        self, keys: Sequence[str], on_unreadable: Callable[[UnreadableEntry], None]
    ) -> list[LedgerEntry | None]:
        del on_unreadable  # entries are kept as they are
        return [self._entries.get(key) for key in keys]

    async def write(self, entry: LedgerEntry) -> None:
        self._entries[entry.key] = entry

    async def scan(self, prefix: str = "") -> AsyncIterator[LedgerEntry]:
        for key, entry in list(self._entries.items()):
            if key.startswith(prefix):
                yield entry

    async def close(self) -> None:
        return None


async def index_world(
    world: World,
    encoder: ImageTextEncoder,
    index: VectorStore,
    ledger: MemoryLedger,
    thumbnails: Thumbnails,
    standardiser: Standardiser,
) -> None:
    """Index every live product of ``world``: what its vendor states, completed by ``standardiser``.

    Meant for a few thousand products. Pictures shared by products are embedded once.
    """
    products = world.truth().live().values()
    vectors: dict[str, Vector] = {}

    async def embed(product: ProductTruth) -> None:
        with Image.open(world.pictures / product.picture_file) as opened:
            picture = opened.convert("RGB")
        vectors[product.picture] = await encoder.encode_image(picture)
        for other in products:
            if other.picture == product.picture:
                await thumbnails.put(other.key, picture)

    async def write(product: ProductTruth) -> None:
        vector = vectors[product.picture]
        indexed, entry = _indexed(product), _entry(product)
        seen = await standardiser.standardise(entry.update, vector)
        completed = {
            name: found.value
            for name in ("category", "colour", "pattern")
            if getattr(indexed, name) is None and (found := getattr(seen, name)) is not None
        }
        await index.upsert(product.key, vector, replace(indexed, **completed))
        await ledger.write(entry)

    pictured = list({product.picture: product for product in products}.values())
    for start in range(0, len(pictured), 64):
        await asyncio.gather(*map(embed, pictured[start : start + 64]))
    await asyncio.gather(*map(write, products))


def _indexed(product: ProductTruth) -> IndexedAttributes:
    garment = product.garment
    return IndexedAttributes(
        department=garment.department,
        category=garment.type if product.category_stated else None,
        gender=product.gender,
        colour=garment.colour if product.colour_stated else None,
        pattern=garment.pattern if product.pattern_stated else None,
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
    def stated(value: str | None) -> Attribute | None:
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
            department=stated(indexed.department),
            category=stated(indexed.category),
            gender=stated(indexed.gender),
            colour=stated(indexed.colour),
            pattern=stated(indexed.pattern),
            sizes=indexed.sizes,
        ),
        image_hash=product.picture,
        indexed=True,
    )
