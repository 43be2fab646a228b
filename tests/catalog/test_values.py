"""Stock, availability, dates, markets, URLs and texts as vendors write them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import pytest

from operators.catalog.feeds.times import parse_sale_date
from operators.catalog.market_words import parse_market
from operators.catalog.picture_urls import clean_url, split_urls
from operators.catalog.product_id import parse_product_id
from operators.catalog.stock import LARGEST_STOCK, parse_availability, parse_stock
from operators.catalog.texts import is_null, plain_text
from schemas.errors import InvalidUpdate


@pytest.mark.parametrize(
    ("value", "decimal", "expected"),
    [
        (7, ".", (7, None)),
        ("1,200", ".", (1200, None)),
        ("1.200", ",", (1200, None)),
        ("12.0", ".", (12, None)),
        ("１２", ".", (12, None)),
        ("\u0661\u0662", ".", (12, None)),
        ("5 left", ".", (5, None)),
        ("3点", ".", (3, None)),
        ("10+", ".", (10, "at-least")),
        (">10", ".", (10, "at-least")),
        ("-3", ".", (0, "negative")),
        ("\u22123", ".", (0, "negative")),
        ("12.5", ".", (12, "not-whole")),
        (10**30, ".", (LARGEST_STOCK, "too-large")),
        ("In stock", ".", (None, "word-for-number")),
        ("sold out", ".", (0, "word-for-number")),
        ("×", ".", (0, "word-for-number")),
    ],
)
def test_stock(value: object, decimal: Literal[".", ","], expected: tuple[int | None, str]) -> None:
    assert parse_stock(value, decimal) == expected


@pytest.mark.parametrize("value", ["1.200", "<5", "5-10", "1e3", "many", "", None, [1], True])
def test_no_stock(value: object) -> None:
    with pytest.raises(InvalidUpdate) as refused:
        parse_stock(value, ".")
    assert refused.value.reason == "invalid-stock"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("in_stock", True),
        ("https://schema.org/InStock", True),
        ("http://www.schema.org/OutOfStock", False),
        ("Pre-Order", True),
        ("In stock (5)", True),
        ("temporarily out of stock", False),
        ("nicht auf Lager", False),
        ("Épuisé", False),
        ("在庫あり", True),
        ("×", False),
        ("-1", False),
        (-1, False),
        (0.0, False),
        ("2.0", True),
        ("false", False),
    ],
)
def test_availability(value: object, expected: bool) -> None:
    assert parse_availability(value) is expected


@pytest.mark.parametrize("value", ["maybe", "In stock (0)", "", None, [], "x" * 10_000])
def test_an_unknown_word_of_availability(value: object) -> None:
    with pytest.raises(InvalidUpdate) as refused:
        parse_availability(value)
    assert refused.value.reason == "unknown-value"


def berlin(value: object, date_format: str | None = None) -> tuple[datetime | None, ...]:
    """Begin and end of a sale at a shop in Berlin."""
    return tuple(
        parse_sale_date(value, date_format, "Europe/Berlin", ends=ends) for ends in (False, True)
    )


@pytest.mark.parametrize(
    ("value", "begin", "end"),
    [
        ("2026-07-01", "2026-06-30T22:00", "2026-07-01T22:00"),
        ("20260701", "2026-06-30T22:00", "2026-07-01T22:00"),
        (20260701, "2026-06-30T22:00", "2026-07-01T22:00"),
        ("2026-10-25", "2026-10-24T22:00", "2026-10-25T23:00"),  # the day has 25 hours
        ("2026-07-01T10:00-08:00", "2026-07-01T18:00", "2026-07-01T18:00"),
        ("2026-07-01T10:00Z/2026-07-05T10:00Z", "2026-07-01T10:00", "2026-07-05T10:00"),
        ("2026-07-01/2026-07-05", "2026-06-30T22:00", "2026-07-05T22:00"),
        ("20260701/20260705", "2026-06-30T22:00", "2026-07-05T22:00"),
        ("2026-07-01/..", "2026-06-30T22:00", None),
        ("/2026-07-05", None, "2026-07-05T22:00"),
        ("2026-07-01/9999-12-31", "2026-06-30T22:00", None),
        ("9999-12-31T23:59:59-05:00", None, None),
        ("0000-00-00 00:00:00", None, None),
        ("0001-01-01T00:00:00", None, None),
        ("1782900000", "2026-07-01T10:00", "2026-07-01T10:00"),
        (1782900000000, "2026-07-01T10:00", "2026-07-01T10:00"),
        ("Wed, 01 Jul 2026 10:00:00 GMT", "2026-07-01T10:00", "2026-07-01T10:00"),
    ],
)
def test_dates_of_sales(value: object, begin: str | None, end: str | None) -> None:
    expected = tuple(
        None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)
        for text in (begin, end)
    )
    assert berlin(value) == expected


def test_an_interval_of_dates_with_slashes() -> None:
    interval = berlin("01/07/2026/05/07/2026", "%d/%m/%Y")
    assert interval == (
        datetime(2026, 6, 30, 22, tzinfo=UTC),
        datetime(2026, 7, 5, 22, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("value", "zone", "setting"),
    [
        ("01/07/2026", "UTC", "feed.date_format"),
        ("next week", "UTC", "feed.date_format"),
        ("2026-07-01", None, "feed.time_zone"),
        ("2026-13-01", "UTC", "feed.date_format"),
    ],
)
def test_a_date_that_is_not_understood_names_the_setting(
    value: str, zone: str | None, setting: str
) -> None:
    with pytest.raises(InvalidUpdate, match=setting):
        parse_sale_date(value, None, zone, ends=True)


@pytest.mark.parametrize(
    ("text", "market"),
    [("us", "US"), ("USA", "US"), ("uk", "GB"), ("Deutschland", "DE"), ("日本", "JP")],
)
def test_markets(text: str, market: str) -> None:
    assert parse_market(text) == market


@pytest.mark.parametrize("text", ["EU", "worldwide", "US, CA", "XX"])
def test_no_single_market(text: str) -> None:
    with pytest.raises(InvalidUpdate, match="must be one market"):
        parse_market(text)


@pytest.mark.parametrize(
    ("cell", "urls"),
    [
        ("//x.com/a.jpg", ["https://x.com/a.jpg"]),
        ("https://x.com/a.jpg,", ["https://x.com/a.jpg"]),
        ("https://x.com/a.jpg?a=1&amp;b=2", ["https://x.com/a.jpg?a=1&b=2"]),
        (
            "https://x.com/a.jpg, https://x.com/b.jpg",
            ["https://x.com/a.jpg", "https://x.com/b.jpg"],
        ),
        ("https://x.com/a.jpg;https://x.com/b.jpg", ["https://x.com/a.jpg", "https://x.com/b.jpg"]),
        ("https://x.com/a.jpg\n//x.com/b.jpg", ["https://x.com/a.jpg", "https://x.com/b.jpg"]),
        ("['https://x.com/a', 'https://x.com/b']", ["https://x.com/a", "https://x.com/b"]),
        ('["https://x.com/a","https://x.com/b"]', ["https://x.com/a", "https://x.com/b"]),
        ("https://x.com/w_400,h_500/a.jpg", ["https://x.com/w_400,h_500/a.jpg"]),
        ("https://x.com/r?u=https://y.com/a", ["https://x.com/r?u=https://y.com/a"]),
        ("https://x.com/a b.jpg\u200b", ["https://x.com/a%20b.jpg"]),
    ],
)
def test_urls_in_a_cell(cell: str, urls: list[str]) -> None:
    assert [clean_url(url, None) for url in split_urls(cell)] == urls


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a.jpg", "relative-url"),
        ("www.x.com:80/a.jpg", "relative-url"),
        ("data:image/png;base64,AA", "wrong-scheme"),
        ("javascript:alert(1)", "wrong-scheme"),
        ("https://x/" + "a" * 5000, "too-long"),
    ],
)
def test_no_url(text: str, reason: str) -> None:
    with pytest.raises(InvalidUpdate) as refused:
        clean_url(text, None)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Tom &amp;amp; Jerry", "Tom & Jerry"),
        ("5&quot; heel, l&#039;été", "5\" heel, l'été"),
        ("AT&T, ?a=1&copy=2", "AT&T, ?a=1&copy=2"),
        ("<p>Soft</p><p>cotton<br/>shirt</p>", "Soft cotton shirt"),
        ("&lt;b&gt;Bold&lt;/b&gt;", "Bold"),
        ("<a href='x>y'>link</a>", "link"),
        ('<p title="5" wide">belt</p>', "belt"),
        ("<script>alert(1)</script>shirt<!-- x -->", "shirt"),
        ("size <M>, 1 < 2", "size <M>, 1 < 2"),
        ("\ufeffred\u200b \u202eskirt\u00a0", "red skirt"),
    ],
)
def test_texts_as_a_reader_sees_them(text: str, plain: str) -> None:
    assert plain_text(text) == (plain, False)


def test_null_words() -> None:
    said = ["", " ", "N/A", "n.a.", "#N/A", "-", "—", "NULL", "\\N", "None", "NaN", "<NA>"]
    assert [text for text in said if not is_null(text)] == []
    assert [text for text in ("NA", "no", "Nan Ling", "0", "nonesuch") if is_null(text)] == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [(" a\u200b1 ", "a1"), (7, "7"), (7.0, "7"), (10**25, "1" + "0" * 25)],
)
def test_product_ids(value: object, expected: str) -> None:
    assert parse_product_id(value) == expected


@pytest.mark.parametrize("value", [None, "", "\u200b", True, 1.5, 10**40, [], "a\ufffd"])
def test_no_product_id(value: object) -> None:
    with pytest.raises(InvalidUpdate):
        parse_product_id(value)
