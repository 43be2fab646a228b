"""How complete each vendor's items are, per standard field, and where the values come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from schemas.attributes import Attribute
from schemas.catalog import LedgerEntry

Source = Literal["vendor", "rule", "model", "unknown"]

STANDARD = ("department", "category", "gender", "colour", "pattern")
VENDOR_ONLY = ("brand", "price", "style_id", "stock", "market")
"""Fields that no rule or model can fill."""


@dataclass(frozen=True, slots=True)
class FieldCoverage:
    """One field of one vendor: shares of its items, which sum to 1."""

    vendor: str
    field: str
    items: int
    by_vendor: float
    by_rule: float
    by_model: float
    unknown: float


def coverage(entries: Iterable[LedgerEntry]) -> list[FieldCoverage]:
    """One row per vendor and field, vendors in alphabetical order.

    Not counted are deleted products, those known only from held patches, those that are not
    fashion, and those that wait for their first picture, which no model has classified yet.
    """
    items: Counter[str] = Counter()
    sources: Counter[tuple[str, str, Source]] = Counter()
    for entry in entries:
        waiting = entry.picture_pending is not None and not entry.indexed
        if entry.exists and not waiting and entry.attributes.not_fashion is None:
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
        for field in (*STANDARD, "sizes", *VENDOR_ONLY)
    ]


def kept_out(entries: Iterable[LedgerEntry]) -> dict[str, Counter[str]]:
    """Vendor -> kind -> existing items that are not fashion, vendors in alphabetical order."""
    counted: dict[str, Counter[str]] = {}
    for entry in entries:
        kind = entry.attributes.not_fashion
        if entry.exists and kind is not None:
            counted.setdefault(entry.key.partition(":")[0], Counter())[kind.value] += 1
    return dict(sorted(counted.items()))


def _sources(entry: LedgerEntry) -> Iterator[tuple[str, Source]]:
    for field in STANDARD:
        attribute: Attribute | None = getattr(entry.attributes, field)
        yield field, attribute.source if attribute else "unknown"
    # Sizes are parsed from the vendor's size field only.
    yield "sizes", "vendor" if entry.attributes.sizes else "unknown"
    for field in VENDOR_ONLY:
        yield field, "vendor" if getattr(entry.update, field) is not None else "unknown"


def coverage_table(rows: Iterable[FieldCoverage]) -> str:
    """The rows as a text table: percentages, one line per vendor and field."""
    lines = [f"{'vendor':<16} {'field':<11} {'items':>7}  vendor   rule  model  unknown"]
    lines += [
        f"{row.vendor:<16} {row.field:<11} {row.items:>7}  {row.by_vendor:6.1%} {row.by_rule:6.1%}"
        f" {row.by_model:6.1%}  {row.unknown:7.1%}"
        for row in rows
    ]
    return "\n".join(lines)
