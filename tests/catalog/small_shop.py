"""A vendor with a small mapping, and a catalog that holds everything in memory."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from operators.catalog.apply import Applied, apply_packet
from operators.catalog.mapping import Mapping
from operators.catalog.parts import CatalogParts
from operators.catalog.placeholders import Placeholders
from operators.catalog.standardise import Standardiser
from operators.vocabulary.taxonomy import Taxonomy
from schemas.catalog import LedgerEntry, Packet, PacketKind
from tests.doubles import (
    HashEncoder,
    InMemoryIndex,
    InMemoryLedger,
    InMemorySchedule,
    InMemoryThumbnails,
    StoredPictures,
    plain_picture,
)

MAPPING = """
vendor = "shop"
market = "IN"
currency = "INR"
size_system = "UK"
[fields]
title = "name"
brand = "brand"
category_text = "category"
gender_text = "gender"
colour_text = "colour"
pattern_text = "pattern"
size_texts = "size"
style_id = "style"
image_urls = "pictures"
price = "price"
stock = "stock"
"""

RED, RED_AGAIN, BLUE, GREEN = "file:///red", "file:///cdn/red", "file:///blue", "file:///green"
BROKEN = "file:///broken"
PICTURES = {
    RED: plain_picture("red"),
    RED_AGAIN: plain_picture("red"),
    BLUE: plain_picture("blue"),
    GREEN: plain_picture("green"),
}
KEY = "shop:1"

VENDORS_KINDS = [PacketKind.UPSERT, PacketKind.PATCH, PacketKind.DELETE]
"""Kinds of packets that vendors send; the system itself sends the others."""
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@functools.cache
def taxonomy() -> Taxonomy:
    return Taxonomy.load()


def mapping_of(text: str) -> Mapping:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mapping.toml"
        path.write_text(text, encoding="utf-8")
        return Mapping.load(path)


@functools.cache
def shop_mapping() -> Mapping:
    return mapping_of(MAPPING)


@dataclass
class Shop:
    """The doubles, and the catalog's parts built from them."""

    encoder: HashEncoder = field(default_factory=HashEncoder)
    pictures: StoredPictures = field(default_factory=lambda: StoredPictures(PICTURES))
    index: InMemoryIndex = field(default_factory=InMemoryIndex)
    ledger: InMemoryLedger = field(default_factory=InMemoryLedger)
    thumbnails: InMemoryThumbnails = field(default_factory=InMemoryThumbnails)
    schedule: InMemorySchedule = field(default_factory=InMemorySchedule)
    placeholders: Placeholders = field(default_factory=Placeholders)
    threshold: float = 0.3
    reduced_suffice: bool = False

    def parts(self) -> CatalogParts:
        return CatalogParts(
            mappings={"shop": shop_mapping()},
            standardiser=Standardiser(self.encoder, taxonomy(), self.threshold),
            pictures=self.pictures,
            encoder=self.encoder,
            index=self.index,
            ledger=self.ledger,
            thumbnails=self.thumbnails,
            schedule=self.schedule,
            placeholders=self.placeholders,
            reduced_suffice=self.reduced_suffice,
        )


class Stream:
    """Applies packets to one shop, each at the next offset and one second after the last."""

    def __init__(self) -> None:
        self.shop = Shop()
        self.offset = 0
        self.elapsed = timedelta()
        """Time that passed in addition to the second per packet."""

    async def send(self, sent: Packet) -> Applied:
        self.offset += 1
        now = self.now
        return await apply_packet(sent, f"p/0/{self.offset}", self.shop.parts(), lambda: now)

    @property
    def now(self) -> datetime:
        """When the last packet was applied."""
        return NOW + timedelta(seconds=self.offset) + self.elapsed

    async def refresh(self) -> Applied:
        """Wait until the product is due, and apply its refresh."""
        due = self.shop.schedule.due[KEY]
        self.elapsed += due - self.now
        return await self.send(packet("refresh", 0))

    async def replay(self, sent: Packet, offset: int) -> Applied:
        return await apply_packet(sent, f"p/0/{offset}", self.shop.parts(), lambda: NOW)

    async def entry(self) -> LedgerEntry:
        entry = await self.shop.ledger.read(KEY)
        assert entry is not None
        return entry


def item(**changes: Any) -> dict[str, Any]:
    """A complete payload."""
    return {
        "name": "Kurta block print",
        "brand": "Sundari",
        "category": "Women > Kurta",
        "gender": "Women",
        "colour": "laal",
        "pattern": "plain",
        "size": "UK 8",
        "style": "S1",
        "pictures": [RED],
        "price": "Rs. 1,000",
        "stock": 5,
        **changes,
    }


def packet(kind: str, version: int, payload: dict[str, Any] | None = None, **more: Any) -> Packet:
    fields: dict[str, Any] = {"vendor": "shop", "product_id": "1", **more}
    return Packet(kind=PacketKind(kind), version=version, payload=payload or {}, **fields)
