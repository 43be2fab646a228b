"""Prices as vendors write them -> money.

A price is never guessed: the decimal mark is declared in the vendor's mapping, and a text that is
not wholly a price in that notation is refused. (A scraper's parser reads "1e400" as 1, "-5.00" as
5 and full-width "¥１２，８００" as 12: see docs/decisions/021.)
"""

from __future__ import annotations

import math
import re
import unicodedata
from decimal import Decimal, InvalidOperation
from typing import Literal

from babel.numbers import get_currency_precision, is_currency
from pydantic import ValidationError

from schemas.errors import InvalidUpdate
from schemas.money import Money

DecimalMark = Literal[".", ","]

_LONGEST = 64
# What a sign may mean; the first is meant when nothing is declared.
_SIGNS: dict[str, tuple[str, ...]] = {
    "$": ("USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN"),
    "us$": ("USD",),
    "€": ("EUR",),
    "£": ("GBP",),
    "₹": ("INR",),
    "rs": ("INR", "PKR", "LKR", "NPR"),
    "rs.": ("INR", "PKR", "LKR", "NPR"),
    "¥": ("JPY", "CNY"),
    "円": ("JPY",),
    "元": ("CNY",),
    "₩": ("KRW",),
}
_REMARKS = frozenset({"", "税込", "税込み", "(税込)", "(税込み)", "mrp", "mrp:", "/-"})


def _notation(decimal: DecimalMark, marks: str) -> re.Pattern[str]:
    """A whole price: digits, grouped by one of ``marks`` in threes (India: then in twos) or not."""
    grouped = rf"\d{{1,3}}(?:(?P<mark>[{marks}])\d{{2,3}}(?:(?P=mark)\d{{2,3}})*(?<=\d{{3}}))"
    return re.compile(
        rf"(?P<before>[^\d]*?)\s*(?P<whole>{grouped}|\d+)"
        rf"(?:{re.escape(decimal)}(?P<part>\d+))?\s*(?P<after>[^\d]*)"
    )


_NOTATIONS: dict[DecimalMark, re.Pattern[str]] = {
    ".": _notation(".", ",' "),
    ",": _notation(",", ".' "),
}


def parse_price(
    value: object, currency: str | None, decimal: DecimalMark, *, minor_units: bool = False
) -> Money:
    """The price in ``value``: a text such as ``"Rs. 4,999"`` or a JSON number.

    ``currency``: ISO 4217 code declared by the vendor, or None when each text states its own.
    ``minor_units``: a bare number counts paise, cents or yen. Raises InvalidUpdate.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _invalid(f"a price is a text or a number, not {type(value).__name__}")
    if isinstance(value, str):
        amount, stated = _read(value, currency, decimal)
    else:
        amount, stated = _number(value), currency
    if stated is None:
        raise _invalid("the price names no currency, and the mapping declares none")
    if amount < 0:
        raise _invalid(f"a price of {amount} is negative")
    try:
        if minor_units:
            amount = amount.scaleb(-get_currency_precision(stated))
        return Money.from_major(amount, stated)
    except (ValidationError, InvalidOperation, OverflowError):
        raise _invalid(f"{str(value)[:_LONGEST]} {stated} is more than any price") from None


def _number(value: int | float) -> Decimal:
    if isinstance(value, int):
        return Decimal(value)
    if not math.isfinite(value):
        raise _invalid(f"{value} is not a number")
    return Decimal(repr(value))


def _read(text: str, declared: str | None, decimal: DecimalMark) -> tuple[Decimal, str | None]:
    if len(text) > _LONGEST:
        raise _invalid(f"a text of {len(text)} characters is no price")
    plain = unicodedata.normalize("NFKC", text).casefold().strip()
    match = _NOTATIONS[decimal].fullmatch(plain)
    if match is None:
        raise _invalid(f"{text!r} is no price with {decimal!r} as decimal mark")
    stated = declared
    for affix in (*match["before"].split(), *match["after"].split()):
        if affix not in _REMARKS:
            stated = _currency_of(affix, stated, text)
    part = match["part"] or ""
    precision = get_currency_precision(stated) if stated else 2
    if len(part) > max(2, precision) or (precision == 0 and part.strip("0")):
        raise _invalid(f"{text!r} has more decimals than {stated} has")
    whole = re.sub(r"\D", "", match["whole"])
    return Decimal(f"{whole}.{part or 0}"), stated


def _currency_of(affix: str, declared: str | None, text: str) -> str:
    code = affix.upper()
    choices = _SIGNS.get(affix) or ((code,) if is_currency(code) else ())
    if not choices:
        raise _invalid(f"{text!r} is no price: what is {affix!r}?")
    if declared is None:
        return choices[0]
    if declared not in choices:
        raise _invalid(f"{text!r} states {choices[0]}, the vendor's currency is {declared}")
    return declared


def _invalid(problem: str) -> InvalidUpdate:
    return InvalidUpdate(problem, reason="invalid-price")
