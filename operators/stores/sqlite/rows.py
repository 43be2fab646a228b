"""Converts attributes to rows of the embedded vector store, and filters to SQL."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, TypeAlias

from operators.ports import Filters, IndexedAttributes

Value: TypeAlias = str | int | None

ATTRIBUTE_COLUMNS = (
    "department",
    "category",
    "gender",
    "colour",
    "pattern",
    "brand",
    "market",
    "sizes",
    "in_stock",
    "price_bucket",
    "currency",
    "style",
    "image_hash",
)


def to_row(attributes: IndexedAttributes) -> tuple[Value, ...]:
    """The values of ATTRIBUTE_COLUMNS, in order."""
    return (
        attributes.department,
        attributes.category,
        attributes.gender,
        attributes.colour,
        attributes.pattern,
        attributes.brand,
        attributes.market,
        json.dumps(attributes.sizes, ensure_ascii=False),
        int(attributes.in_stock),
        attributes.price_bucket,
        attributes.currency,
        attributes.style,
        attributes.image_hash,
    )


def from_row(row: tuple[Any, ...]) -> IndexedAttributes:
    """The attributes whose :func:`to_row` is ``row``."""
    values = dict(zip(ATTRIBUTE_COLUMNS, row, strict=True))
    values["sizes"] = tuple(json.loads(values["sizes"]))
    values["in_stock"] = bool(values["in_stock"])
    return IndexedAttributes(**values)


def to_condition(filters: Filters) -> tuple[str, list[Value]]:
    """``filters`` as an SQL condition on the table ``products``, and its parameters."""
    conditions: list[str] = []
    parameters: list[Value] = []

    def require(condition: str, *values: Value) -> None:
        conditions.append(condition)
        parameters.extend(values)

    def one_of(column: str, values: Collection[str]) -> str:
        return f"{column} IN ({', '.join('?' * len(values))})"

    if filters.department is not None:
        require("department = ?", filters.department)
    if filters.market is not None:
        require("market = ?", filters.market)
    if filters.in_stock:
        require("in_stock = 1")
    if filters.currency is not None:
        require("currency = ?", filters.currency)
    if filters.price_buckets is not None:
        require("price_bucket BETWEEN ? AND ?", *filters.price_buckets)
    if filters.genders:
        condition = f"(gender IS NULL OR {one_of('gender', filters.genders)})"
        require(condition, *filters.genders)
    if filters.colours:
        require(one_of("colour", filters.colours), *filters.colours)
    if filters.brands:
        require(one_of("brand", filters.brands), *filters.brands)
    if filters.excluded_brands:
        condition = f"(brand IS NULL OR NOT {one_of('brand', filters.excluded_brands)})"
        require(condition, *filters.excluded_brands)
    if filters.sizes:
        condition = (
            f"EXISTS (SELECT 1 FROM json_each(sizes) WHERE {one_of('value', filters.sizes)})"
        )
        require(condition, *filters.sizes)
    return " AND ".join(conditions) or "TRUE", parameters
