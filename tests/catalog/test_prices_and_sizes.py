"""Prices and sizes as vendors write them, and price buckets."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.catalog.price import DecimalMark, parse_price
from operators.catalog.sizes import normalise_sizes
from operators.vocabulary.price_bucket import bucket_range, price_bucket
from schemas.errors import InvalidUpdate
from schemas.money import Money


@pytest.mark.parametrize(
    ("text", "currency", "decimal", "minor"),
    [
        ("¥12,800", "JPY", ".", 12_800),
        ("12,800円", "JPY", ".", 12_800),
        ("税込 12,800円", "JPY", ".", 12_800),
        ("￥１２，８００", "JPY", ".", 12_800),
        ("Rs. 4,999", "INR", ".", 499_900),
        ("Rs. 3,499.00", "INR", ".", 349_900),
        ("₹1,29,999.50", "INR", ".", 12_999_950),
        ("₹499/-", "INR", ".", 49_900),
        ("MRP 499", "INR", ".", 49_900),
        ("1.299,00", "USD", ",", 129_900),
        ("1.299,00 USD", "USD", ",", 129_900),
        ("1 299,00 €", "EUR", ",", 129_900),
        ("1.299", "USD", ",", 129_900),
        ("15.00 USD", None, ".", 1_500),
        ("$ 12", None, ".", None),
        ("A$12", None, ".", 1_200),
        ("12.5", "USD", ".", 1_250),
        ("12.345", "KWD", ".", 12_345),
        ("0", "USD", ".", 0),
        (12, "JPY", ".", 12),
        (12.5, "USD", ".", 1_250),
        ("$19.99 CAD", None, ".", 1_999),
        ("US $12", None, ".", 1_200),
        ("R$ 1.299,90", None, ",", 129_990),
        ("R 1 299,90", "ZAR", ",", 129_990),
        ("12,99 zł", None, ",", 1_299),
        ("1.299.000 ₫", None, ",", 1_299_000),
        ("499:-", "SEK", ".", 49_900),
        ("CHF 1'299.–", None, ".", 129_900),
        ("12,50 €*", None, ",", 1_250),
        ("&pound;12.50", None, ".", 1_250),
        ("‎12.50‏ USD", None, ".", 1_250),
        ("١٬٢٩٩٫٥٠ د.إ", None, ".", 129_950),
        ("१,२९९", "INR", ".", 129_900),
        ("1299.50 RSD", None, ".", 129_950),
        ("1.5 KWD", None, ".", 1_500),
        ("19.9900 USD", None, ".", 1_999),
        (19.990000000000002, "USD", ".", 1_999),
        ("¥1,980", None, ".", None),
        ("499 kr", None, ".", None),
        ("19⁹⁹ €", None, ".", None),
        ("12½", "USD", ".", None),
        ("0,500", "KWD", ".", None),
        ("34.000", "USD", ".", None),
        ("100.50", "JPY", ".", None),
        ("12.50 € excl. VAT", None, ".", None),
        ("2,980円(税抜)", None, ".", None),
        ("$5 - $10", "USD", ".", None),
        ("12 XXX", None, ".", None),
        ("12.999", "USD", ".", None),
        ("12.80", "JPY", ".", None),
        ("12,80", "USD", ".", None),
        ("1,2,3", "USD", ".", None),
        ("12 34", "USD", ".", None),
        ("$12", "INR", ".", None),
        ("12", None, ".", None),
        ("12 XQX", None, ".", None),
        ("from 12", "USD", ".", None),
        ("-5.00", "USD", ".", None),
        (-5, "USD", ".", None),
        ("1e400", "USD", ".", None),
        (1e300, "USD", ".", None),
        (10**400, "USD", ".", None),
        (float("nan"), "USD", ".", None),
        (float("inf"), "USD", ".", None),
        ("9" * 40, "USD", ".", None),
        ("9" * 10_000_000, "USD", ".", None),
        ("", "USD", ".", None),
        ("free", "USD", ".", None),
        (True, "USD", ".", None),
        ([12], "USD", ".", None),
    ],
)
def test_prices(
    text: object, currency: str | None, decimal: DecimalMark, minor: int | None
) -> None:
    if minor is None:
        with pytest.raises(InvalidUpdate) as refused:
            parse_price(text, currency, decimal)
        assert refused.value.reason == "invalid-price"
        assert len(str(refused.value)) < 300
    else:
        assert parse_price(text, currency, decimal).amount_minor == minor


def test_minor_units() -> None:
    assert parse_price(499_900, "INR", ".", minor_units=True).major == Decimal("4999.00")


SMALL = ("ALPHA:XS", "ALPHA:S")


@pytest.mark.parametrize(
    ("texts", "system", "expected"),
    [
        (["M"], None, ("ALPHA:M",)),
        (["2XL", "xxl", "3xl", "XXXL"], None, ("ALPHA:XXL", "ALPHA:3XL")),
        (["S/M/L"], None, ("ALPHA:S", "ALPHA:M", "ALPHA:L")),
        (["X-Large", "extra small"], None, ("ALPHA:XL", "ALPHA:XS")),
        (["One Size", "フリーサイズ", "free size"], None, ("ALPHA:ONE",)),
        (["Mサイズ"], None, ("ALPHA:M",)),
        (["UK 8", "uk-8", "8 UK"], None, ("UK:8",)),
        (["8"], "US", ("US:8",)),
        (["10.5", "08"], "US", ("US:10.5", "US:8")),
        (["M"], "US", ("ALPHA:M",)),
        (["IND 7"], None, ("UK:7",)),
        (["25.5cm", "25.5 ｃｍ"], None, ("CM:25.5",)),
        (["25.5"], "JP", ("CM:25.5",)),
        (["9"], "JP", ("JP:9",)),
        (["W32 L34", "w32/l34"], None, ("WAIST:32",)),
        (["EU 42"], None, ("EU:42",)),
        (["O/S", "OS", "均一", "taglia unica"], None, ("ALPHA:ONE",)),
        (["2X-Large", "xlarge", "X-Small/Small"], None, ("ALPHA:XXL", "ALPHA:XL", *SMALL)),
        (["ＬＬ", "3L"], None, ("ALPHA:XL", "ALPHA:XXL")),
        (["10 1/2", "10-1/2", "10½"], "US", ("US:10.5",)),
        (["8,9"], "UK", ("UK:8", "UK:9")),
        (["4,5,6"], "US", ("US:4", "US:5", "US:6")),
        (["8,5", "UK 8,5", "8,5 / 9", "8,5,9", "8,5;9", "7,25"], "UK", ()),
        (["38,5", "36,5,37"], "EU", ("EU:38.5", "EU:36.5", "EU:37")),
        (["EU 38/40", "38/40 EU"], "US", ("EU:38", "EU:40")),
        (["8 (EU 36)"], "UK", ("UK:8", "EU:36")),
        (["EU 38 (5)"], "UK", ("EU:38",)),
        (["US 8/39"], None, ("US:8",)),
        (["UK 6 (EU 39, US 8.5)"], None, ("UK:6", "EU:39", "US:8.5")),
        (["9 B(M) US", "7.5 M US"], None, ("US:9", "US:7.5")),
        (["32/34"], "US", ()),
        (["170/92A", "36A", "Asian XL (US M)", "M Tall"], "EU", ()),
        (["2/3Y", "6M"], "UK", ()),
        (["12-18 months", "4T", "7-8Y"], None, ("AGE:12-18M", "AGE:4T", "AGE:7-8Y")),
        (["Size M", "サイズ:L"], None, ("ALPHA:M", "ALPHA:L")),
        (["Taille 38"], "EU", ("EU:38",)),
        (["9号", "23号"], None, ("JP:9",)),
        (["\ufdfa" * 200], "US", ()),
        (["8"], None, ()),
        (["8"], "MARS", ()),
        (["banana", ""], "US", ()),
        (["9" * 100_000], "US", ()),
    ],
)
def test_sizes(texts: list[str], system: str | None, expected: tuple[str, ...]) -> None:
    assert normalise_sizes(texts, system) == expected


AMOUNTS = st.integers(0, 10**15)
CURRENCIES = st.sampled_from(["INR", "USD", "JPY", "KWD"])


@given(amounts=st.tuples(AMOUNTS, AMOUNTS, AMOUNTS), currency=CURRENCIES)
def test_no_price_in_a_range_is_missed(amounts: tuple[int, int, int], currency: str) -> None:
    low, price, high = (Money(amount_minor=amount, currency=currency) for amount in sorted(amounts))
    for bounds in ((low, high), (None, high), (low, None)):
        buckets = bucket_range(*bounds)
        assert buckets is not None
        assert buckets[0] <= price_bucket(price) <= buckets[1]


def test_a_bucket_is_about_nine_percent_wide() -> None:
    buckets = [price_bucket(Money(amount_minor=minor * 100, currency="USD")) for minor in (64, 128)]
    assert buckets == [48, 56]
    assert price_bucket(Money(amount_minor=6_399, currency="USD")) == 47


def test_without_bounds_there_is_no_restriction() -> None:
    assert bucket_range(None, None) is None


def test_a_range_in_two_currencies_is_refused() -> None:
    with pytest.raises(ValueError, match="INR and JPY"):
        bucket_range(Money(amount_minor=1, currency="INR"), Money(amount_minor=2, currency="JPY"))
