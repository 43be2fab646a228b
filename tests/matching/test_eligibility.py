"""Which products may be shown for a layer: one reason to exclude one at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from operators.matching.eligibility import passes
from schemas.attributes import Attribute, Department, Gender, StandardAttributes
from schemas.catalog import LedgerEntry, ProductUpdate
from schemas.looks import ImageReference, Look, Preferences
from schemas.money import Money

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def output(value: str) -> Attribute:
    return Attribute(value=value, source="vendor", confidence=1.0)


def rupees(amount: int) -> Money:
    return Money(amount_minor=amount, currency="INR")


TOP = StandardAttributes(
    department=output("top"),
    colour=output("red"),
    gender=output("female"),
    sizes=("ALPHA:S", "ALPHA:M"),
)
UPDATE = ProductUpdate(brand="Nima", market="IN", price=rupees(1000), stock=1)
ENTRY = LedgerEntry(key="shop:1", version=1, update=UPDATE, attributes=TOP)


def entry(**changes: Any) -> LedgerEntry:
    """ENTRY with other facts of its update or other attributes."""
    facts = {name: value for name, value in changes.items() if name in ProductUpdate.model_fields}
    attributes = {name: value for name, value in changes.items() if name not in facts}
    return ENTRY.model_copy(
        update={
            "update": UPDATE.model_copy(update=facts),
            "attributes": TOP.model_copy(update=attributes),
        }
    )


def look(**context: Any) -> Look:
    return Look(look_id="look", image=ImageReference(url="https://shop.example/1.jpg"), **context)


def shown(product: LedgerEntry, *preferences: Preferences, **context: Any) -> bool:
    return passes(product, look(**context), Department.TOP, preferences, NOON)


def test_a_product_in_stock_of_the_department_is_shown() -> None:
    assert shown(ENTRY)
    assert not passes(ENTRY, look(), Department.BOTTOM, (), NOON)
    assert not shown(entry(department=None))


def test_what_cannot_be_ordered_is_not_shown() -> None:
    assert not shown(entry(stock=0))
    assert not shown(ENTRY.model_copy(update={"deleted_version": 2}))
    assert not shown(ENTRY.model_copy(update={"version": None}))


def test_a_look_of_a_market_shows_its_products_only() -> None:
    assert shown(ENTRY, market="IN")
    assert not shown(ENTRY, market="US")
    assert not shown(entry(market=None), market="IN")
    assert shown(entry(market=None))


@pytest.mark.parametrize(
    ("product", "asked", "expected"),
    [
        ("female", Gender.FEMALE, True),
        ("male", Gender.FEMALE, False),
        ("unisex", Gender.FEMALE, True),
        (None, Gender.FEMALE, True),
        ("male", None, True),
        ("female", Gender.UNISEX, False),
    ],
)
def test_a_products_gender_must_be_the_looks_or_unisex(
    product: str | None, asked: Gender | None, expected: bool
) -> None:
    gender = None if product is None else output(product)
    assert shown(entry(gender=gender), gender=asked) is expected


def test_brands_are_compared_without_case() -> None:
    wanted, excluded = Preferences(brands=("NIMA",)), Preferences(excluded_brands=("nIMa",))
    assert shown(ENTRY, wanted)
    assert not shown(entry(brand="Rua"), wanted)
    assert not shown(entry(brand=None), wanted)
    assert not shown(ENTRY, excluded)
    assert shown(entry(brand="Rua"), excluded)
    assert shown(entry(brand=None), excluded)


def test_a_colour_must_be_one_of_the_wanted() -> None:
    wanted = Preferences(colours=("blue", "red"))
    assert shown(ENTRY, wanted)
    assert not shown(entry(colour=output("green")), wanted)
    assert not shown(entry(colour=None), wanted)


def test_one_size_of_the_department_must_be_wanted() -> None:
    assert shown(ENTRY, Preferences(sizes={Department.TOP: ("ALPHA:M", "ALPHA:L")}))
    assert not shown(ENTRY, Preferences(sizes={Department.TOP: ("ALPHA:L",)}))
    assert shown(ENTRY, Preferences(sizes={Department.BOTTOM: ("ALPHA:L",)}))
    assert not shown(entry(sizes=()), Preferences(sizes={Department.TOP: ("ALPHA:M",)}))


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        ({"min_price": rupees(999)}, True),
        ({"min_price": rupees(1000)}, True),
        ({"min_price": rupees(1001)}, False),
        ({"max_price": rupees(999)}, False),
        ({"max_price": rupees(1000)}, True),
        ({"max_price": rupees(1001)}, True),
        ({"min_price": Money(amount_minor=1, currency="USD")}, False),
        ({"max_price": Money(amount_minor=10**6, currency="USD")}, False),
    ],
)
def test_a_price_lies_within_its_bounds(bound: dict[str, Money], expected: bool) -> None:
    assert shown(ENTRY, Preferences(**bound)) is expected


def test_an_unknown_price_is_outside_any_bound() -> None:
    unknown = entry(price=None)
    assert shown(unknown)
    assert not shown(unknown, Preferences(min_price=rupees(1)))
    assert not shown(unknown, Preferences(max_price=rupees(10**6)))


def test_a_sale_counts_for_the_bounds_while_it_lasts() -> None:
    reduced = entry(sale_price=rupees(600), sale_from=NOON, sale_until=NOON + timedelta(hours=1))
    cheap = (Preferences(max_price=rupees(700)),)
    at = [NOON - timedelta(seconds=1), NOON, NOON + timedelta(hours=1)]
    assert [passes(reduced, look(), Department.TOP, cheap, moment) for moment in at] == [
        False,
        True,
        False,
    ]


def test_every_one_of_several_preferences_must_be_satisfied() -> None:
    red, blue = Preferences(colours=("red",)), Preferences(colours=("blue",))
    assert shown(ENTRY, red, red)
    assert not shown(ENTRY, red, blue)
    assert not shown(ENTRY, blue, red)
