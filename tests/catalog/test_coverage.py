"""Coverage of the standard fields, per vendor."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from operators.catalog.coverage import coverage, coverage_table, kept_out
from schemas.attributes import Attribute, StandardAttributes
from schemas.catalog import LedgerEntry, PendingPicture, ProductUpdate

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LAMP = StandardAttributes(not_fashion=Attribute(value="home", source="rule"))
PENDING = PendingPicture(reason="timeout", refused=False, since=NOW, last_try=NOW, attempts=1)


def entry(key: str, brand: str | None, *sources: str, version: int | None = 1) -> LedgerEntry:
    names = ("category", "colour")
    found = {
        name: Attribute.model_validate({"value": "x", "source": source})
        for name, source in zip(names, sources, strict=False)
    }
    return LedgerEntry(
        key=key,
        version=version,
        update=ProductUpdate(brand=brand),
        attributes=StandardAttributes(**found),
    )


def test_shares_per_vendor_and_field() -> None:
    counted = coverage(
        [
            entry("zari:1", "A", "vendor", "rule"),
            entry("zari:2", None, "vendor", "model"),
            entry("zari:3", "A", "rule"),
            entry("zari:4", None),
            entry("zari:gone", "A", "vendor", "vendor", version=None),
            entry("zari:waiting", "A", "vendor").model_copy(update={"picture_pending": PENDING}),
            entry("zari:lamp", "A").model_copy(update={"attributes": LAMP}),
            entry("kisetsu:1", "B", "model"),
        ]
    )
    rows = {(row.vendor, row.field): row for row in counted}

    category = rows["zari", "category"]
    assert (category.items, category.by_vendor, category.by_rule) == (4, 0.5, 0.25)
    assert (category.by_model, category.unknown) == (0.0, 0.25)
    assert rows["zari", "colour"].by_model == 0.25
    assert rows["zari", "brand"].unknown == 0.5
    assert rows["kisetsu", "category"].by_model == 1.0
    assert next(iter(rows))[0] == "kisetsu"
    for row in counted:
        shares = row.by_vendor + row.by_rule + row.by_model + row.unknown
        assert shares == pytest.approx(1.0)


def test_products_that_are_not_fashion_are_counted_by_vendor_and_kind() -> None:
    lamps = [
        entry(f"zari:{number}", None, version=version).model_copy(update={"attributes": LAMP})
        for number, version in (("1", 1), ("2", 1), ("gone", None))
    ]
    assert kept_out([*lamps, entry("kisetsu:1", "B", "model")]) == {"zari": {"home": 2}}


def test_without_products_there_are_no_rows() -> None:
    assert coverage([]) == []


def test_the_table_has_a_line_per_row() -> None:
    rows = coverage([entry("zari:1", "A", "vendor", "model")])
    lines = coverage_table(rows).splitlines()
    assert len(lines) == len(rows) + 1
    assert next(line for line in lines if " colour " in line).split() == [
        "zari",
        "colour",
        "1",
        "0.0%",
        "0.0%",
        "100.0%",
        "0.0%",
    ]
