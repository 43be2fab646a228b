"""Conversions between a product's ledger entry, index attributes and published form."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from datetime import datetime

from operators.ports import IndexedAttributes
from operators.vocabulary.price_bucket import price_bucket
from schemas.attributes import Attribute, StandardAttributes
from schemas.base import built
from schemas.catalog import UNKNOWN_VERSION, LedgerEntry, Product, ProductUpdate

_NAMES = sorted(field.name for field in fields(IndexedAttributes))
_JSON = json.JSONEncoder(ensure_ascii=False)


def indexed_attributes(entry: LedgerEntry, moment: datetime) -> IndexedAttributes:
    """The attributes that the vector store holds at ``moment``, sales considered.

    ``entry`` must have an image hash.
    """
    update, attributes = entry.update, entry.attributes
    price = update.price_at(moment)
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
        price_bucket=price_bucket(price) if price else None,
        currency=price.currency if price else None,
        style=f"{vendor}:{update.style_id}" if update.style_id else None,
        image_hash=entry.image_hash or "",
    )


def attributes_hash(attributes: IndexedAttributes) -> str:
    """A hash that is stable across processes."""
    text = _JSON.encode({name: getattr(attributes, name) for name in _NAMES})
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def newest(*versions: int | None) -> int | None:
    """The newest of the versions that are known; None when none is."""
    return max((version for version in versions if version is not None), default=None)


def published_version(entry: LedgerEntry) -> int:
    """The newest version among the upsert and the patches that the product's state is made of."""
    version = newest(entry.version, *entry.patched.values())
    return UNKNOWN_VERSION if version is None else version


def product_of(entry: LedgerEntry, moment: datetime) -> Product:
    """The product as published on catalog.changes and looks.matched at ``moment``, as it is in the
    validated ``entry``.

    Raises ValueError if the product does not exist.
    """
    if not entry.exists:
        raise ValueError(f"{entry.key}: a product that does not exist cannot be published")
    vendor, _, product_id = entry.key.partition(":")
    return built(
        Product,
        {
            "key": entry.key,
            "vendor": vendor,
            "product_id": product_id,
            "version": published_version(entry),
            "update": entry.update,
            "attributes": entry.attributes,
            "price": entry.update.price_at(moment),
            "image_hash": entry.image_hash or "",
        },
    )


def entry_of_index(key: str, attributes: IndexedAttributes) -> LedgerEntry:
    """An entry reconstructed from the index alone; any packet is newer than it.

    Unknown are the title, texts, URLs, the exact price (so no price preference is satisfied), the
    stock count, the source of each attribute (confidence 0), and the spelling of the brand.
    """
    vendor, _, _ = key.partition(":")
    style = attributes.style
    return LedgerEntry(
        key=key,
        version_unknown=True,
        update=ProductUpdate(
            brand=attributes.brand,
            style_id=style.removeprefix(f"{vendor}:") if style else None,
            available=attributes.in_stock,
            market=attributes.market,
        ),
        attributes=StandardAttributes(
            department=_attribute(attributes.department),
            category=_attribute(attributes.category),
            gender=_attribute(attributes.gender),
            colour=_attribute(attributes.colour),
            pattern=_attribute(attributes.pattern),
            sizes=attributes.sizes,
        ),
        image_hash=attributes.image_hash,
    )


def _attribute(value: str | None) -> Attribute | None:
    return None if value is None else Attribute(value=value, source="model", confidence=0.0)


def _value(attribute: Attribute | None) -> str | None:
    return attribute.value if attribute else None
