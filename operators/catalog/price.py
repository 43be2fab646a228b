"""Parse prices as vendors write them.

A price is never guessed: the vendor's mapping declares the decimal mark, and a text that is not
entirely a price in that notation is refused. (Price parsers for web scraping read "1e400" as 1,
"-5.00" as 5 and full-width "¥１２，８００" as 12: docs/decisions/021.)
"""

from __future__ import annotations

import math
import re
import unicodedata
from decimal import Decimal, InvalidOperation
from typing import Literal

from pydantic import ValidationError

from operators.catalog.currency_signs import stated_currency
from operators.catalog.describe import describe
from operators.catalog.entities import without_entities
from schemas.errors import InvalidUpdate
from schemas.money import Money, minor_digits

DecimalMark = Literal[".", ","]

_LONGEST = 64
_REMARK = re.compile(
    r"[(\[]?\s*(?:税込み?|(?:tax|vat|gst)\s+incl(?:uded|\.)?"
    r"|(?:incl(?:uding|usive|\.)?|inkl\.?)\s*(?:of\s+)?(?:all\s+)?(?:tax(?:es)?|vat|gst|mwst\.?)"
    r"|ttc|iva\s+(?:inclusa|incluido))\s*[)\]]?|\bmrp\b[:.]?|/-|:-|\*+"
)
"""Words next to a price that do not change it. "excl. tax" does change it."""

_NO_WIDTH = (0xAD, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF)
"""Soft hyphen, letters without a width and marks of direction, as right-to-left texts have them."""

_FROM_FLOAT = 10
"""Decimals that no price has: 19.990000000000002 is a binary fraction printed in full."""
_FLOAT_ERROR = Decimal("1e-9")


def _notation(decimal: DecimalMark, marks: str) -> re.Pattern[str]:
    """The pattern of a whole price with ``decimal`` as its decimal mark.

    Digits may be grouped by one of ``marks``, in threes or the Indian way (1,29,999).
    """
    threes = rf"[1-9]\d{{0,2}}(?P<mark>[{marks}])\d{{3}}(?:(?P=mark)\d{{3}})*"
    indian = rf"[1-9]\d?(?P<indian>[{marks}])(?:\d{{2}}(?P=indian))+\d{{3}}"
    return re.compile(
        rf"(?P<before>[^\d]*?)\s*(?P<whole>(?:{threes}|{indian}|\d+)(?!\d))"
        rf"(?:{re.escape(decimal)}(?P<fraction>\d+)|[.,][-–—]{{1,2}})?\s*(?P<after>[^\d]*)"
    )


_NOTATIONS: dict[DecimalMark, re.Pattern[str]] = {
    ".": _notation(".", ",'’ "),
    ",": _notation(",", ".'’ "),
}


def parse_price(
    value: object, currency: str | None, decimal: DecimalMark, *, minor_units: bool = False
) -> Money:
    """The price in ``value``: a text such as ``"Rs. 4,999"`` or a JSON number.

    ``currency``: the ISO 4217 code that the mapping declares, or None when each text states its
    own. ``minor_units``: amounts are in paise, cents or yen. Raises InvalidUpdate.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _invalid(f"must be a text or a number, is {describe(value)}")
    if isinstance(value, str):
        amount, stated = _read(value, currency, decimal)
    else:
        amount, stated = _number(value), stated_currency((), currency, str(describe(value)))
    if amount < 0:
        raise _invalid(f"{describe(value)} is negative")
    if minor_units:
        amount = amount.scaleb(-minor_digits(stated))
    elif minor_digits(stated) == 0 and abs(amount - round(amount)) > _FLOAT_ERROR:
        raise _invalid(f"{describe(value)} has more decimals than {stated} allows")
    try:
        return Money.from_major(amount, stated)
    except (ValidationError, InvalidOperation, OverflowError):
        raise _invalid(f"{describe(value)} in {stated} exceeds the largest price") from None


def _number(value: int | float) -> Decimal:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _invalid(f"must be a finite number, is {value}")
        return Decimal(repr(value))
    if abs(value) > 10**_LONGEST:
        raise _invalid(f"{describe(value)} exceeds the largest price")
    return Decimal(value)


def _read(text: str, declared: str | None, decimal: DecimalMark) -> tuple[Decimal, str]:
    if len(text) > _LONGEST:
        raise _invalid(f"{len(text)} characters, at most {_LONGEST} are allowed")
    plain = _plain(without_entities(text), decimal)
    match = _NOTATIONS[decimal].fullmatch(plain)
    if match is None:
        raise _invalid(
            f"{describe(text)} is not a price with the decimal mark {decimal!r} (price.decimal)"
        )
    affixes = (_REMARK.sub(" ", match[side]).strip() for side in ("before", "after"))
    stated = stated_currency(tuple(affix for affix in affixes if affix), declared, text)
    whole, fraction = re.sub(r"\D", "", match["whole"]), match["fraction"] or ""
    return Decimal(f"{whole}.{_decimals(fraction, stated, text) or 0}"), stated


def _plain(text: str, decimal: DecimalMark) -> str:
    """``text`` in one spelling, digits as ASCII, the marks of Arabic as ours.

    Raises InvalidUpdate for digits above the line: 19⁹⁹ is not 1999.
    """
    if text.isascii():
        return text.casefold().strip()
    if any(unicodedata.category(letter) == "No" for letter in text):
        raise _invalid(f"{describe(text)} has digits above the line, in circles or as a fraction")
    wide = unicodedata.normalize("NFKC", text).translate(
        {0x66B: decimal, 0x66C: "'", **dict.fromkeys(_NO_WIDTH)}
    )
    digits = (str(unicodedata.decimal(letter, letter)) for letter in wide)
    return "".join(digits).casefold().strip()


def _decimals(fraction: str, currency: str, text: str) -> str:
    """The decimals that count. Three of them may as well be thousands: 34.000."""
    precision = minor_digits(currency)
    counting = fraction.rstrip("0")
    if len(fraction) == 3 and precision != 3:
        raise _invalid(
            f"{describe(text)} has three decimals, {currency} has {precision}; if they are "
            "thousands, set price.decimal"
        )
    if len(counting) <= precision:
        return counting
    exact = Decimal(f"0.{fraction}")
    rounded = round(exact, precision)
    if len(fraction) < _FROM_FLOAT or abs(exact - rounded) > _FLOAT_ERROR:
        raise _invalid(f"{describe(text)} has more decimals than {currency} allows")
    return fraction


def _invalid(problem: str) -> InvalidUpdate:
    return InvalidUpdate(problem, reason="invalid-price")
