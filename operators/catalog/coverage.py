"""How much of the vocabulary each vendor's items have, and where it comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from schemas.attributes import Attribute
from schemas.catalog import LedgerEntry

Source = Literal["vendor", "rule", "model", "unknown"]

STANDARD = ("department", "category", "gender", "colour", "pattern")
GIVEN = ("brand", "price", "style_id", "stock", "market")
"""Fields that only a vendor can give."""


@dataclass(frozen=True, slots=True)
class FieldCoverage:
    """One field of one vendor; shares of its items, which add up to 1."""

    vendor: str
    field: str
    items: int
    by_vendor: float
    by_rule: float
    by_model: float
    unknown: float


def coverage(entries: Iterable[LedgerEntry]) -> list[FieldCoverage]:
    """One row per vendor and field, vendors in alphabetical order.

    Deleted products, and patches held for products not known yet, don't count.
    """
    items: Counter[str] = Counter()
    sources: Counter[tuple[str, str, Source]] = Counter()
    for entry in entries:
        if entry.exists:
            vendor, _, _ = entry.key.partition(":")
            items[vendor] += 1
            sources.update((vendor, field, source) for field, source in _sources(entry))
    return [
        FieldCoverage(
            vendor,
            field,
            count,
            *(sources[vendor, field, source] / count for source in get_args(Source)),
        )
        for vendor, count in sorted(items.items())
        for field in (*STANDARD, "sizes", *GIVEN)
    ]


def _sources(entry: LedgerEntry) -> Iterator[tuple[str, Source]]:
    for field in STANDARD:
        attribute: Attribute | None = getattr(entry.attributes, field)
        yield field, attribute.source if attribute else "unknown"
    # A size in a closed field, put in our notation.
    yield "sizes", "vendor" if entry.attributes.sizes else "unknown"
    for field in GIVEN:
        yield field, "vendor" if getattr(entry.update, field) is not None else "unknown"


def coverage_table(rows: Iterable[FieldCoverage]) -> str:
    """The rows as text: percentages, one line per vendor and field."""
    lines = [f"{'vendor':<16} {'field':<11} {'items':>7}  vendor   rule  model  unknown"]
    lines += [
        f"{row.vendor:<16} {row.field:<11} {row.items:>7}  {row.by_vendor:6.1%} {row.by_rule:6.1%}"
        f" {row.by_model:6.1%}  {row.unknown:7.1%}"
        for row in rows
    ]
    return "\n".join(lines)
