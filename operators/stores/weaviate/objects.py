"""Converts attributes to the properties of a Weaviate object, and filters to Weaviate's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import structlog
from weaviate.classes.config import DataType, Property, Tokenization
from weaviate.classes.query import Filter
from weaviate.collections.classes.filters import _Filters as WeaviateFilter

from operators.ports import Filters, IndexedAttributes

log = structlog.get_logger()

Stored = TypeVar("Stored")
Read = TypeVar("Read")

UNKNOWN_GENDER = "?"
"""Stored for None, so that "any of these, or unknown" is one filter. Weaviate's null index would
cover every property of every object (docs/decisions/085)."""

KEY = "key"


def _text(name: str, *, filterable: bool = False, data_type: DataType = DataType.TEXT) -> Property:
    return Property(
        name=name,
        data_type=data_type,
        tokenization=Tokenization.FIELD,  # the whole value is one token, case-sensitive
        index_filterable=filterable,
        index_searchable=False,  # no BM25
    )


def properties() -> list[Property]:
    """The schema of a collection: only properties that :class:`Filters` uses are indexed."""
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
        # 1 or 0: the client (4.16 with protobuf 7) cannot send a filter on a boolean.
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
    """All properties, including None: an object is replaced as a whole."""
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
    """Key and attributes of an object whose :func:`to_properties` is ``stored``.

    Raises KeyError or ValueError when it is that of no product.
    """
    key, gender, in_stock = stored[KEY], stored["gender"], stored["in_stock"]
    sizes = stored.get("sizes") or ()
    if not isinstance(key, str) or not key:
        raise ValueError(f"the key is {key!r}")
    if not isinstance(gender, str):
        raise ValueError(f"gender is {gender!r}")
    if in_stock not in (0, 1):
        raise ValueError(f"in_stock is {in_stock!r}, not 0 or 1")
    if not isinstance(sizes, list | tuple) or not all(isinstance(size, str) for size in sizes):
        raise ValueError(f"sizes is {sizes!r}")
    return key, IndexedAttributes(
        department=_text_of(stored, "department"),
        category=_text_of(stored, "category"),
        gender=None if gender == UNKNOWN_GENDER else gender,
        colour=_text_of(stored, "colour"),
        pattern=_text_of(stored, "pattern"),
        brand=_text_of(stored, "brand"),
        market=_text_of(stored, "market"),
        sizes=tuple(sizes),
        in_stock=bool(in_stock),
        price_bucket=_count_of(stored, "price_bucket"),
        currency=_text_of(stored, "currency"),
        style=_text_of(stored, "style"),
        image_hash=_text_of(stored, "image_hash") or "",
    )


def _text_of(stored: Mapping[str, Any], name: str) -> str | None:
    value = stored.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name} is {value!r}, not a text")
    return value


def _count_of(stored: Mapping[str, Any], name: str) -> int | None:
    value = stored.get(name)
    # By REST a whole number arrives as a float.
    if value is not None and not (isinstance(value, int | float) and value >= 0 == value % 1):
        raise ValueError(f"{name} is {value!r}, not a whole number from 0")
    return None if value is None else int(value)


def read_or_leave_out(read: Callable[[Stored], Read], stored: Stored) -> Read | None:
    """What ``read`` makes of an object; None for one that another program wrote or that is
    damaged: a search or a batch does without it."""
    try:
        return read(stored)
    except (KeyError, TypeError, ValueError) as error:
        identity = getattr(stored, "uuid", None) or getattr(stored, "properties", None)
        cause = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        log.warning("object of the index left out", object=str(identity)[:300], error=cause)
        return None


def to_filter(filters: Filters) -> WeaviateFilter | None:
    """``filters`` as a Weaviate filter; None when they restrict nothing."""
    conditions: list[WeaviateFilter] = [
        Filter.by_property(name).equal(value)
        for name in ("department", "market", "currency")
        if (value := getattr(filters, name)) is not None
    ]
    if filters.in_stock:
        conditions.append(Filter.by_property("in_stock").equal(1))
    if filters.price_buckets is not None:
        lowest, highest = filters.price_buckets
        conditions.append(Filter.by_property("price_bucket").greater_or_equal(lowest))
        conditions.append(Filter.by_property("price_bucket").less_or_equal(highest))
    for name, wanted in (
        ("gender", filters.genders and filters.genders | {UNKNOWN_GENDER}),
        ("colour", filters.colours),
        ("brand", filters.brands),
        ("sizes", filters.sizes),
    ):
        if wanted:
            conditions.append(Filter.by_property(name).contains_any(sorted(wanted)))
    # Objects without a brand match: "not equal" is the complement of "equal".
    conditions.extend(
        Filter.by_property("brand").not_equal(brand) for brand in sorted(filters.excluded_brands)
    )
    return Filter.all_of(conditions) if conditions else None
