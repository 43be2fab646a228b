"""One product in the shapes the system needs: ledger entry, index attributes, published product."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from operators.ports import IndexedAttributes
from operators.vocabulary.price_bucket import price_bucket
from schemas.attributes import Attribute, StandardAttributes
from schemas.catalog import LedgerEntry, Product, ProductUpdate

NEVER = -1

OLDEST = -1
"""The version of a product whose version is not known: whatever a vendor sends is newer."""

NOT_EVEN_DELETED = -2
"""Older than that, so that the product exists."""


def indexed_attributes(entry: LedgerEntry) -> IndexedAttributes:
    """The product as the vector store holds it. ``entry`` has an image hash."""
    update, attributes = entry.update, entry.attributes
    vendor, _, _ = entry.key.partition(":")
    return IndexedAttributes(
        department=_value(attributes.department),
        category=_value(attributes.category),
        gender=_value(attributes.gender),
        colour=_value(attributes.colour),
        pattern=_value(attributes.pattern),
        brand=update.brand.casefold() if update.brand else None,
        market=update.market,
        sizes=attributes.sizes,
        in_stock=update.in_stock,
        price_bucket=price_bucket(update.price) if update.price else None,
        currency=update.price.currency if update.price else None,
        style=f"{vendor}:{update.style_id}" if update.style_id else None,
        image_hash=entry.image_hash or "",
    )


def attributes_hash(attributes: IndexedAttributes) -> str:
    """Equal for equal attributes, in every process."""
    text = json.dumps(asdict(attributes), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def newest_version(entry: LedgerEntry) -> int:
    """Of the packets that made the product what it is."""
    return max(entry.version, *entry.patched.values(), NEVER)


def product_of(entry: LedgerEntry) -> Product:
    """The product that ``entry`` tells of. Raises ValueError when it doesn't exist."""
    if not entry.exists:
        raise ValueError(f"{entry.key}: there is no such product")
    vendor, _, product_id = entry.key.partition(":")
    return Product(
        key=entry.key,
        vendor=vendor,
        product_id=product_id,
        version=newest_version(entry),
        update=entry.update,
        attributes=entry.attributes,
        image_hash=entry.image_hash or "",
    )


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


def _value(attribute: Attribute | None) -> str | None:
    return attribute.value if attribute else None
