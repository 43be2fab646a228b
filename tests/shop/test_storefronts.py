"""Markets and languages: prices, digits, words, sizes."""

from __future__ import annotations

import string
import tomllib
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.attributes import Attribute, StandardAttributes
from schemas.catalog import LedgerEntry, ProductUpdate
from schemas.money import Money
from services.shop.cards import facts_of
from services.shop.size_charts import chart_for, size_label, usual_sizes
from services.shop.storefronts import STOREFRONTS
from services.shop.texts import FOLDER, Texts

LANGUAGES = ("en", "hi", "ja")


def table(language: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf-8"))


def places(text: str | dict[str, str]) -> set[str]:
    texts = [text] if isinstance(text, str) else list(text.values())
    return {
        name for one in texts for _, name, _, _ in string.Formatter().parse(one) if name is not None
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_everything(language: str) -> None:
    english, other = table("en"), table(language)
    assert other.keys() == english.keys()
    for key, text in english.items():
        if isinstance(text, dict) and "other" not in text:
            assert other[key].keys() == text.keys(), key
        else:
            assert places(other[key]) == places(text), key


def test_every_text_is_shown_somewhere() -> None:
    sources = [one for one in FOLDER.parent.rglob("*") if one.suffix in (".py", ".html")]
    shown = "".join(one.read_text(encoding="utf-8") for one in sources)
    by_value = {"female", "male", "unisex"}
    keys = {key for key in table("en") if not key.startswith("error_")} - by_value
    assert {key for key in keys if f'"{key}"' not in shown} == set()


def test_counts_are_said_as_each_language_does() -> None:
    assert [Texts("en")("products_found", count=n) for n in (0, 1, 2)] == [
        "0 products",
        "1 product",
        "2 products",
    ]
    assert Texts("hi")("few", count=1) == "सिर्फ़ 1 बचा है"
    assert Texts("ja")("few", count=1) == "残り1点"


@pytest.mark.parametrize(
    ("path", "amount", "currency", "shown"),
    [
        ("in-en", 12_345_600, "INR", "₹1,23,456"),
        ("in-hi", 12_345_650, "INR", "₹1,23,456.50"),
        ("us", 5_299, "USD", "$52.99"),
        ("us", 123_456_700, "USD", "$1,234,567"),
        ("jp", 12_800, "JPY", "￥12,800"),
        ("jp", 119_900, "INR", "₹1,199"),
        ("in-en", 5_299, "USD", "$52.99"),
        ("us", 12_345, "KWD", "KWD12.345"),
    ],
)
def test_prices_stay_in_their_own_currency(
    path: str, amount: int, currency: str, shown: str
) -> None:
    assert STOREFRONTS[path].price(Money(amount_minor=amount, currency=currency)) == shown


def entry(**fields: object) -> LedgerEntry:
    update = ProductUpdate.model_validate({"title": "Tee", **fields})
    return LedgerEntry(key="a:tee", version=1, update=update)


def yen(amount: int) -> Money:
    return Money(amount_minor=amount, currency="JPY")


NOW = datetime(2026, 11, 29, tzinfo=UTC)


def test_reductions_and_taxes_are_said_where_they_are_usual() -> None:
    japan = STOREFRONTS["jp"]
    facts = facts_of("a:tee", entry(price=yen(7500), list_price=yen(10000)), japan, NOW)
    assert (facts.price, facts.list_price, facts.off) == ("￥7,500", "￥10,000", "25%オフ")
    assert facts.tax_note == "税込"
    american = Money(amount_minor=5299, currency="USD")
    facts = facts_of("a:tee", entry(price=american, list_price=american), japan, NOW)
    assert (facts.list_price, facts.tax_note) == (None, "")


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, "in-stock"),
        ({"stock": 6}, "in-stock"),
        ({"stock": 5}, "few"),
        ({"stock": 0}, "sold-out"),
        ({"available": False}, "sold-out"),
    ],
)
def test_stock_is_said_in_words(fields: dict[str, object], state: str) -> None:
    assert facts_of("a:tee", entry(**fields), STOREFRONTS["us"], NOW).state == state
    assert facts_of("a:tee", None, STOREFRONTS["us"], NOW).state == "gone"


def test_a_chance_is_never_rounded_up() -> None:
    assert STOREFRONTS["us"].percent(0.999) == "99%"


def attributes(department: str, gender: str, *sizes: str) -> StandardAttributes:
    stated = {"department": department, "gender": gender}
    return StandardAttributes(
        sizes=sizes,
        **{name: Attribute(value=value, source="vendor") for name, value in stated.items()},
    )


def test_size_charts_are_of_the_products_kind() -> None:
    america = STOREFRONTS["us"]
    shoes = chart_for(attributes("footwear", "female", "US:8"), america)
    assert shoes is not None
    assert shoes.columns == ["Foot (cm)", "UK / India", "US women", "EU"]
    assert ["25", "6.5", "8.5", "40"] in shoes.rows
    dress = chart_for(attributes("dress", "female", "US:6"), STOREFRONTS["jp"])
    assert dress is not None
    assert ["10", "6", "38", "9"] in dress.rows
    shirt = chart_for(attributes("top", "male", "ALPHA:M"), america)
    assert shirt is not None
    assert ["38", "48"] in shirt.rows
    assert chart_for(attributes("bag", "female", "ALPHA:ONE"), america) is None


def test_sizes_are_those_of_the_place() -> None:
    assert usual_sizes("footwear", STOREFRONTS["jp"])[0] == "CM:22"
    assert usual_sizes("footwear", STOREFRONTS["in-hi"])[1] == "UK:3.5"
    assert usual_sizes("bag", STOREFRONTS["us"]) == []
    assert [size_label(one) for one in ("UK:8", "CM:25.5", "ALPHA:M", "WAIST:32")] == [
        "UK 8",
        "25.5 cm",
        "M",
        "W32",
    ]
