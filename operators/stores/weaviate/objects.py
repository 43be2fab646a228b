"""How filterable attributes become the properties of a Weaviate object, and filters its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weaviate.classes.config import DataType, Property, Tokenization
from weaviate.classes.query import Filter
from weaviate.collections.classes.filters import _Filters as WeaviateFilter

from operators.ports import Filters, IndexedAttributes

UNKNOWN_GENDER = "?"
"""Stored for None, so that "any of these, or unknown" is one look-up. Weaviate's index of nulls
would be kept for every property of every object (docs/decisions/085)."""

KEY = "key"


def _text(name: str, *, filterable: bool = False, data_type: DataType = DataType.TEXT) -> Property:
    return Property(
        name=name,
        data_type=data_type,
        tokenization=Tokenization.FIELD,  # the whole value is one token, case and all
        index_filterable=filterable,
        index_searchable=False,  # no BM25
    )


def properties() -> list[Property]:
    """The schema of a collection: only what :class:`Filters` asks for is indexed."""
    return [
        _text(KEY),
        _text("department", filterable=True),
        _text("category"),
        _text("gender", filterable=True),
        _text("colour", filterable=True),
        _text("pattern"),
        _text("brand", filterable=True),
        _text("market", filterable=True),
        _text("sizes", filterable=True, data_type=DataType.TEXT_ARRAY),
        # 1 or 0: the client (4.16 with protobuf 7) fails to send a filter on a boolean.
        Property(
            name="in_stock",
            data_type=DataType.INT,
            index_filterable=True,
            index_searchable=False,
        ),
        Property(
            name="price_bucket",
            data_type=DataType.INT,
            index_filterable=False,
            index_range_filters=True,
            index_searchable=False,
        ),
        _text("currency", filterable=True),
        _text("style"),
        _text("image_hash"),
    ]


def to_properties(key: str, attributes: IndexedAttributes) -> dict[str, Any]:
    """All properties, None included: an object is replaced as a whole."""
    return {
        KEY: key,
        "department": attributes.department,
        "category": attributes.category,
        "gender": UNKNOWN_GENDER if attributes.gender is None else attributes.gender,
        "colour": attributes.colour,
        "pattern": attributes.pattern,
        "brand": attributes.brand,
        "market": attributes.market,
        "sizes": list(attributes.sizes),
        "in_stock": int(attributes.in_stock),
        "price_bucket": attributes.price_bucket,
        "currency": attributes.currency,
        "style": attributes.style,
        "image_hash": attributes.image_hash,
    }


def from_properties(stored: Mapping[str, Any]) -> tuple[str, IndexedAttributes]:
    """Key and attributes of an object whose :func:`to_properties` is ``stored``."""
    gender, bucket = stored["gender"], stored.get("price_bucket")
    return stored[KEY], IndexedAttributes(
        department=stored.get("department"),
        category=stored.get("category"),
        gender=None if gender == UNKNOWN_GENDER else gender,
        colour=stored.get("colour"),
        pattern=stored.get("pattern"),
        brand=stored.get("brand"),
        market=stored.get("market"),
        sizes=tuple(stored.get("sizes") or ()),
        in_stock=bool(stored["in_stock"]),
        price_bucket=None if bucket is None else int(bucket),
        currency=stored.get("currency"),
        style=stored.get("style"),
        image_hash=stored.get("image_hash") or "",
    )


def to_filter(filters: Filters) -> WeaviateFilter | None:
    """A Weaviate filter that means ``filters``; None when they let everything through."""
    parts: list[WeaviateFilter] = [
        Filter.by_property(name).equal(value)
        for name in ("department", "market", "currency")
        if (value := getattr(filters, name)) is not None
    ]
    if filters.in_stock:
        parts.append(Filter.by_property("in_stock").equal(1))
    if filters.price_buckets is not None:
        lowest, highest = filters.price_buckets
        parts.append(Filter.by_property("price_bucket").greater_or_equal(lowest))
        parts.append(Filter.by_property("price_bucket").less_or_equal(highest))
    for name, wanted in (
        ("gender", filters.genders and filters.genders | {UNKNOWN_GENDER}),
        ("colour", filters.colours),
        ("brand", filters.brands),
        ("sizes", filters.sizes),
    ):
        if wanted:
            parts.append(Filter.by_property(name).contains_any(sorted(wanted)))
    # Objects without a brand pass: "not equal" is the complement.
    parts.extend(
        Filter.by_property("brand").not_equal(brand) for brand in sorted(filters.excluded_brands)
    )
    return Filter.all_of(parts) if parts else None
