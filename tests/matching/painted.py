"""A world of flat paints: each colour stands for a description in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from operators.ports import IndexedAttributes, Ledger, Vector, VectorStore
from schemas.attributes import Attribute, StandardAttributes
from schemas.catalog import LedgerEntry, ProductUpdate
from schemas.money import Money
from tests.doubles import unit_vector

Paint = tuple[int, int, int]

WALL: Paint = (255, 255, 255)
PAINTS: dict[Paint, str] = {
    WALL: "background",
    (200, 0, 0): "red top striped shirt white stripes",
    (0, 0, 200): "blue bottom solid jeans",
    (0, 160, 0): "green dress floral sundress yellow flowers",
    (30, 30, 30): "black footwear solid boots",
}
RED_SHIRT, JEANS, SUNDRESS, BOOTS = list(PAINTS)[1:]

DIMENSION = 256


class PaintEncoder:
    """Embeds a text as the sum of its words' directions, the first weighted a little more; a
    picture or patch as the text of the paint at its centre."""

    fingerprint = "paint"
    dimension = DIMENSION
    reads_text = True
    finds_layers = True

    def __init__(self, paints: Mapping[Paint, str] = PAINTS) -> None:
        self._paints = paints
        self.encoded = 0

    async def encode_text(self, text: str) -> Vector:
        return self._text(text)

    async def encode_image(self, image: Image.Image) -> Vector:
        self.encoded += 1
        return self._at(image, 0.5, 0.5)

    async def encode_patches(self, image: Image.Image) -> NDArray[np.float32]:
        middles = (np.arange(8) + 0.5) / 8
        return np.stack([np.stack([self._at(image, x, y) for x in middles]) for y in middles])

    def _at(self, image: Image.Image, x: float, y: float) -> Vector:
        paint = image.getpixel((int(x * image.width), int(y * image.height)))
        assert isinstance(paint, tuple)
        return self._text(self._paints.get((int(paint[0]), int(paint[1]), int(paint[2])), "noise"))

    def _text(self, text: str) -> Vector:
        words = [unit_vector(word.encode(), DIMENSION) for word in text.split()]
        total = np.sum([*words, 0.2 * words[0]], axis=0)
        return np.asarray(total / np.linalg.norm(total), dtype=np.float32)


def painting(
    *blocks: tuple[Paint, tuple[int, int, int, int]], size: tuple[int, int] = (80, 120)
) -> Image.Image:
    """A picture with blocks (x0, y0, x1, y1 in pixels) before a wall."""
    picture = Image.new("RGB", size, WALL)
    for paint, box in blocks:
        picture.paste(paint, box)
    return picture


def outfit() -> Image.Image:
    """Shirt, jeans and boots, one below the other."""
    return painting(
        (RED_SHIRT, (20, 20, 60, 60)), (JEANS, (25, 60, 55, 100)), (BOOTS, (20, 100, 60, 118))
    )


@dataclass(frozen=True, slots=True)
class Facts:
    """What a product's picture does not show."""

    price: int = 1000
    """In minor units of INR."""
    brand: str = "Nima"
    market: str = "IN"
    stock: int = 3
    style: str | None = None


ORDINARY = Facts()
SIZES = ("ALPHA:M",)
GENDER = "female"


async def add_product(
    index: VectorStore,
    ledger: Ledger,
    key: str,
    words: str,
    facts: Facts = ORDINARY,
) -> None:
    """A product whose picture shows ``words``: colour, department, pattern, category first."""
    colour, department, pattern, category = words.split()[:4]
    attributes = StandardAttributes(
        department=_stated(department),
        category=_stated(category),
        gender=_stated(GENDER),
        colour=_stated(colour),
        pattern=_stated(pattern),
        sizes=SIZES,
    )
    update = ProductUpdate(
        title=words,
        brand=facts.brand,
        stock=facts.stock,
        market=facts.market,
        price=Money(amount_minor=facts.price, currency="INR"),
    )
    await ledger.write(
        LedgerEntry(
            key=key, version=1, update=update, attributes=attributes, image_hash=f"hash of {key}"
        )
    )
    indexed = IndexedAttributes(
        department=department,
        category=category,
        gender=GENDER,
        colour=colour,
        pattern=pattern,
        brand=facts.brand.casefold(),
        market=facts.market,
        sizes=SIZES,
        in_stock=facts.stock > 0,
        price_bucket=None,
        currency="INR",
        style=facts.style,
        image_hash=f"hash of {key}",
    )
    await index.upsert(key, await PaintEncoder().encode_text(words), indexed)


def _stated(value: str) -> Attribute:
    return Attribute(value=value, source="vendor", confidence=1.0)
