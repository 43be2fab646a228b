"""What the vector store knows of a product, as a ledger entry: where there is no better source."""

from __future__ import annotations

from operators.ports import IndexedAttributes
from schemas.attributes import Attribute, StandardAttributes
from schemas.catalog import LedgerEntry, ProductUpdate

OLDEST = -1
"""The version of a product whose version is not known: whatever a vendor sends is newer."""

NOT_EVEN_DELETED = -2
"""Older than that, so that the product exists."""


def entry_of_index(key: str, attributes: IndexedAttributes) -> LedgerEntry:
    """An existing product of the oldest version; what the store does not hold is left open.

    Not known: title, texts, URLs, the exact price (no wish for a price is granted), the number in
    stock, who judged an attribute (confidence 0), and how the brand is written.
    """
    vendor, _, _ = key.partition(":")
    style = attributes.style
    return LedgerEntry(
        key=key,
        version=OLDEST,
        deleted_version=NOT_EVEN_DELETED,
        update=ProductUpdate(
            brand=attributes.brand,
            style_id=style.removeprefix(f"{vendor}:") if style else None,
            available=attributes.in_stock,
            market=attributes.market,
        ),
        attributes=StandardAttributes(
            department=_judged(attributes.department),
            category=_judged(attributes.category),
            gender=_judged(attributes.gender),
            colour=_judged(attributes.colour),
            pattern=_judged(attributes.pattern),
            sizes=attributes.sizes,
        ),
        image_hash=attributes.image_hash,
    )


def _judged(value: str | None) -> Attribute | None:
    return None if value is None else Attribute(value=value, source="model", confidence=0.0)
