"""A vendor of one small mapping, and parts that hold everything in memory."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from doubles import (
    HashEncoder,
    InMemoryIndex,
    InMemoryLedger,
    InMemoryThumbnails,
    StoredPictures,
    plain_picture,
)

from operators.catalog.apply import CatalogParts
from operators.catalog.mapping import Mapping
from operators.catalog.standardise import Standardiser
from operators.vocabulary.taxonomy import Taxonomy
from schemas.catalog import Packet, PacketKind

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
    """The doubles, and parts made of them."""

    encoder: HashEncoder = field(default_factory=HashEncoder)
    pictures: StoredPictures = field(default_factory=lambda: StoredPictures(PICTURES))
    index: InMemoryIndex = field(default_factory=InMemoryIndex)
    ledger: InMemoryLedger = field(default_factory=InMemoryLedger)
    thumbnails: InMemoryThumbnails = field(default_factory=InMemoryThumbnails)
    threshold: float = 0.3

    def parts(self) -> CatalogParts:
        return CatalogParts(
            mappings={"shop": shop_mapping()},
            standardiser=Standardiser(self.encoder, taxonomy(), self.threshold),
            pictures=self.pictures,
            encoder=self.encoder,
            index=self.index,
            ledger=self.ledger,
            thumbnails=self.thumbnails,
        )


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
