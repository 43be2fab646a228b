"""Products for a text, for a region of a picture, or like another product: the search without a
look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from PIL.Image import Image

from operators.matching.crops import cut, square_around
from operators.matching.eligibility import passes
from operators.matching.parts import MatchParts
from operators.matching.ranked_product import RankedProduct
from operators.matching.retrieve import coarse_filters
from operators.matching.select import fold
from operators.matching.vectorize import fuse
from operators.ports import Vector
from schemas.attributes import Department, Gender
from schemas.looks import Preferences, Region

OVER_FETCH = 3
"""Candidates per product wanted: some are sold out, or variants of one style."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which products are wanted."""

    market: str | None = None
    gender: Gender | None = None
    department: Department | None = None
    preferences: Preferences = field(default_factory=Preferences)


async def by_text(
    text: str, wanted: Wanted, parts: MatchParts, count: int, moment: datetime
) -> list[RankedProduct]:
    """At most ``count`` products nearest to ``text``, best first, one per style.

    Raises Misconfigured when the encoder reads no text; Unavailable, IndexLost, LedgerLost.
    """
    return await _nearest(await parts.encoder.encode_text(text), wanted, parts, count, moment)


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What somebody points at, and how they call it."""

    picture: Image
    region: Region
    text: str


async def by_region(
    shown: Shown, wanted: Wanted, parts: MatchParts, count: int, moment: datetime
) -> list[RankedProduct]:
    """At most ``count`` products nearest to a region of a picture and its text, best first, one per
    style; the two weigh as in a look. Raises Unavailable, IndexLost, LedgerLost."""
    picture, encoder, settings = shown.picture, parts.encoder, parts.settings
    square = cut(picture, square_around(shown.region, *picture.size))
    region = await encoder.encode_image(square)
    reads = encoder.reads_text and bool(shown.text.strip())
    text = await encoder.encode_text(shown.text) if reads else None
    vector = fuse(text, region, settings.queries, settings.text_weight)
    assert vector is not None  # there is a region
    return await _nearest(vector, wanted, parts, count, moment)


async def like_product(
    key: str, wanted: Wanted, parts: MatchParts, count: int, moment: datetime
) -> list[RankedProduct] | None:
    """At most ``count`` products most like the product ``key``, of its department; None when the
    index does not have it. Raises as :func:`by_text`."""
    own = await parts.index.get(key)
    if own is None:
        return None
    department = own.attributes.department
    if wanted.department is None and department is not None:
        wanted = Wanted(wanted.market, wanted.gender, Department(department), wanted.preferences)
    # The product itself and its variants come first.
    found = await _nearest(own.vector, wanted, parts, count + 1, moment)
    style = own.attributes.style
    others = [one for one in found if one.key != key and not _is_variant(one, style)]
    return others[:count]


def _is_variant(product: RankedProduct, style: str | None) -> bool:
    return style is not None and product.attributes.style == style


async def _nearest(
    vector: Vector, wanted: Wanted, parts: MatchParts, count: int, moment: datetime
) -> list[RankedProduct]:
    preferences: Sequence[Preferences] = (wanted.preferences,)
    filters = coarse_filters(wanted, wanted.department, preferences)
    if filters is None:
        return []
    candidates = await parts.index.search(vector, filters, count * OVER_FETCH)
    entries = await parts.ledger.read_many([one.key for one in candidates], lambda _: None)
    products = [
        RankedProduct.of(candidate, entry)
        for candidate, entry in zip(candidates, entries, strict=True)
        if entry is not None and passes(entry, wanted, wanted.department, preferences, moment)
    ]
    return fold(products, parts.settings.duplicate_similarity)[:count]
