"""What holds for any price, size, date and optional value."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from babel.numbers import list_currencies
from hypothesis import example, given
from hypothesis import strategies as st

from operators.catalog.feeds.times import parse_sale_date, parse_time
from operators.catalog.map_packet import map_packet
from operators.catalog.mapping import load_mappings
from operators.catalog.price import DecimalMark, parse_price
from operators.catalog.sizes import normalise_sizes
from operators.catalog.texts import plain_text
from schemas.catalog import Packet, PacketKind, ProductUpdate
from schemas.errors import InvalidUpdate
from schemas.money import Money, minor_digits
from tests.catalog.small_shop import MAPPING, item, mapping_of
from tests.catalog.vendor_payloads import GOOGLE

CURRENCIES = st.sampled_from(sorted(list_currencies() - {"XXX", "XTS"}))
NOTATIONS = st.sampled_from(
    [
        (".", ""), (".", ","), (".", "'"), (".", "’"), (".", " "), (".", "\u202f"),
        (",", ""), (",", "."), (",", " "), (",", "\u00a0"), (",", "'"),
    ]
)  # fmt: skip
"""Decimal mark and mark between thousands."""


def in_thousands(whole: int, mark: str) -> str:
    return f"{whole:,}".replace(",", mark)


def in_lakhs(whole: int, mark: str) -> str:
    """1,29,99,999: India groups by two after the thousands."""
    rest, last = divmod(whole, 1000)
    if not rest or not mark:
        return str(whole)
    groups = [f"{last:03}"]
    while rest:
        rest, group = divmod(rest, 100)
        groups.append(f"{group:02}" if rest else str(group))
    return mark.join(reversed(groups))


@given(
    minor=st.integers(0, 10**12),
    currency=CURRENCIES,
    notation=NOTATIONS,
    grouped=st.sampled_from([in_thousands, in_lakhs]),
    shown=st.sampled_from(["{0} {1}", "{1} {0}", "{1}{0}", "{0}\u00a0{1}", "{0} {1} (incl. VAT)"]),
)
@example(minor=1234567, currency="JPY", notation=(".", ","), grouped=in_thousands, shown="{1}{0}")
@example(minor=1234567, currency="KWD", notation=(",", "."), grouped=in_thousands, shown="{0} {1}")
@example(minor=1234567, currency="CLF", notation=(",", "."), grouped=in_thousands, shown="{0} {1}")
@example(minor=1299999, currency="RSD", notation=(",", "."), grouped=in_thousands, shown="{0} {1}")
def test_a_price_is_read_as_it_was_written(
    minor: int, currency: str, notation: tuple[DecimalMark, str], grouped: Any, shown: str
) -> None:
    decimal, mark = notation
    whole, fraction = divmod(minor, 10 ** minor_digits(currency))
    text = grouped(whole, mark)
    if digits := minor_digits(currency):
        text += f"{decimal}{fraction:0{digits}}"
    money = Money(amount_minor=minor, currency=currency)
    assert parse_price(shown.format(text, currency), None, decimal) == money
    assert parse_price(text, currency, decimal) == money


@given(
    text=st.text("0123456789.,’' $€-½⁹٣/USD", min_size=1, max_size=12),
    decimal=st.sampled_from([".", ","]),
    currency=st.sampled_from(["USD", "JPY", "KWD"]),
)
@example(text="19⁹⁹ €", decimal=".", currency="USD")
@example(text="0,500", decimal=".", currency="KWD")
def test_a_price_has_the_digits_of_its_text(text: str, decimal: DecimalMark, currency: str) -> None:
    with suppress(InvalidUpdate):
        price = parse_price(text, currency, decimal)
        written = "".join(str(int(letter)) for letter in text if letter.isdecimal())
        assert not re.search("[½⁹]", text)
        assert str(price.amount_minor).rstrip("0") == written.lstrip("0").rstrip("0")


@given(amount=st.decimals(0, 10**9, places=2), currency=st.sampled_from(["USD", "INR"]))
def test_a_price_in_a_json_number(amount: Decimal, currency: str) -> None:
    assert parse_price(float(amount), currency, ".").major == amount


LETTERS = st.sampled_from(["XS", "S", "M", "L", "XL", "XXL", "3XL"])
SEPARATORS = st.sampled_from([", ", " | ", "; ", "/", " / "])


@given(letters=st.lists(LETTERS, min_size=1, max_size=6, unique=True), separator=SEPARATORS)
def test_all_letters_of_a_text_are_sizes(letters: list[str], separator: str) -> None:
    expected = tuple(f"ALPHA:{letter}" for letter in letters)
    assert normalise_sizes([separator.join(letters)], None) == expected
    assert normalise_sizes(letters, "EU") == expected


@given(
    system=st.sampled_from(["UK", "US", "EU"]),
    halves=st.integers(2, 100),
    form=st.sampled_from(["{1} {0}", "{0} {1}", "{1}{0}", "{1}-{0}", "{1}: {0}"]),
)
def test_a_size_with_its_system(system: str, halves: int, form: str) -> None:
    whole, half = divmod(halves, 2)
    expected = (f"{system}:{halves / 2:g}",)
    spellings = [f"{whole} 1/2", f"{whole}½", f"{whole}.5"] if half else [str(whole)]
    for spelling in spellings:
        if half and form in ("{1}-{0}", "{1}{0}") and spelling != f"{whole}.5":
            continue
        assert normalise_sizes([form.format(spelling, system)], "JP") == expected
        assert normalise_sizes([spelling], system) == expected


@given(text=st.text("0123456789 /,;.-()XLMSukeJP", max_size=14), system=st.none() | st.just("UK"))
@example(text="8 (EU 36)", system="UK")
@example(text="8,5", system="UK")
@example(text="170/92A", system="UK")
def test_the_numbers_of_sizes_stand_in_the_text(text: str, system: str | None) -> None:
    written = {float(number) for number in re.findall(r"\d+(?:\.\d+)?", text)}
    written |= {float(f"{a}.5") for a in re.findall(r"(\d\d),5", text)}
    halves = {
        round(float(whole or 0) + int(above) / int(below), 2)
        for whole, above, below in re.findall(r"(\d+)[ -](\d)/(\d)", text)
        if int(below)
    }
    for size in normalise_sizes([text], system):
        named, value = size.split(":")
        if named in ("UK", "US", "EU", "JP", "CM", "WAIST"):
            assert float(value) in written | halves
        if system is None:
            assert (
                named in ("ALPHA", "WAIST") or named.casefold() in text.casefold() or "JP" in text
            )


MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1))
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(moment=MOMENTS, offset=OFFSETS, separator=st.sampled_from("T "))
def test_a_time_with_an_offset(moment: datetime, offset: timezone, separator: str) -> None:
    stated = moment.replace(tzinfo=offset)
    text = stated.isoformat(separator)
    assert parse_time(text, None, "Asia/Tokyo") == stated
    for ends in (False, True):
        assert parse_sale_date(text, None, None, ends=ends) == stated


@given(
    begin=st.dates(date(1990, 1, 1), date(2100, 1, 1)),
    days=st.integers(0, 400),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
    form=st.sampled_from([(None, "%Y-%m-%d"), (None, "%Y%m%d"), ("%d/%m/%Y", "%d/%m/%Y")]),
)
def test_a_sale_of_days_lasts_through_the_last(
    begin: date, days: int, zone: str, form: tuple[str | None, str]
) -> None:
    declared, written = form
    last, after = begin + timedelta(days=days), begin + timedelta(days=days + 1)
    interval = f"{begin.strftime(written)}/{last.strftime(written)}"

    def read(text: str, *, ends: bool) -> datetime | None:
        return parse_sale_date(text, declared, zone, ends=ends)

    assert read(interval, ends=False) == read(begin.strftime(written), ends=False)
    assert read(interval, ends=True) == read(after.strftime(written), ends=False)


@given(value=st.text("0123456789-/:.TZ+ ", max_size=30) | st.integers() | st.floats())
@example(value="9999-12-31")
@example(value="0001-01-01T00:00+14:00")
@example(value=-(10**17))
def test_any_date_is_a_time_or_refused(value: object) -> None:
    for ends in (False, True):
        with suppress(InvalidUpdate):
            moment = parse_sale_date(value, None, "Pacific/Kiritimati", ends=ends)
            assert moment is None or moment.tzinfo is UTC


@given(text=st.text("<>a/ =&;'\"!-pscript\n", max_size=40))
def test_a_cleaned_text_is_one_line(text: str) -> None:
    plain, _ = plain_text(text)
    assert plain == " ".join(plain.split())


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
OPTIONAL = [
    "additional_image_link", "availability", "brand", "color", "content_language", "description",
    "gender", "google_product_category", "item_group_id", "link", "pattern", "product_type",
    "quantity", "sale_price", "sale_price_effective_date", "size", "size_system", "target_country",
]  # fmt: skip
MAPPINGS = load_mappings()


@given(
    changes=st.dictionaries(st.sampled_from(OPTIONAL), ANYTHING, max_size=4),
    unmapped=ANYTHING,
    kind=st.sampled_from([PacketKind.UPSERT, PacketKind.PATCH]),
)
@example(changes={"quantity": 10**400}, unmapped=None, kind=PacketKind.UPSERT)
@example(changes={"sale_price_effective_date": "9999-12-31"}, unmapped=1, kind=PacketKind.PATCH)
def test_no_optional_value_costs_the_product(
    changes: dict[str, Any], unmapped: object, kind: PacketKind
) -> None:
    payload = {**GOOGLE, **changes, "gtin": unmapped}
    sent = Packet(vendor="google_merchant", product_id="1", kind=kind, version=1, payload=payload)
    update = map_packet(sent, MAPPINGS["google_merchant"]).update
    assert ProductUpdate.model_validate_json(update.model_dump_json()) == update
    assert (update.title, update.price) == (
        GOOGLE["title"],
        parse_price(GOOGLE["price"], None, "."),
    )


@pytest.mark.parametrize("kind", [PacketKind.UPSERT, PacketKind.PATCH])
def test_a_failing_function_of_a_path_costs_its_field(kind: PacketKind) -> None:
    mapping = mapping_of(f"{MAPPING}available = \"ends_with(offers.availability, 'InStock')\"\n")
    payload = item(colour="Red", offers={"availability": {}})
    sent = Packet(vendor="shop", product_id="1", kind=kind, version=1, payload=payload)
    mapped = map_packet(sent, mapping)
    assert mapped.update.colour_text == "Red"
    assert ("available", "wrong-type") in {(note.field, note.reason) for note in mapped.notes}
