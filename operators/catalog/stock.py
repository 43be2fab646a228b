"""Stock and availability as shops write them."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import Literal

from operators.catalog.availability_words import AVAILABILITY
from operators.catalog.describe import describe
from schemas.errors import InvalidUpdate

LARGEST_STOCK = 10**9
_LONGEST = 40
_NUMBER = {
    ".": re.compile(r"(?P<whole>\d{1,3}(?:[, ]\d{3})+|\d{1,15})(?:\.(?P<fraction>\d{1,6}))?"),
    ",": re.compile(r"(?P<whole>\d{1,3}(?:[. ]\d{3})+|\d{1,15})(?:,(?P<fraction>\d{1,6}))?"),
}
_AT_LEAST = re.compile(r"[>≥]=?\s*|\+$")
_PIECES = re.compile(
    r"(?:only\s+)?(\d{1,6})\s*(?:pcs?\.?|pieces?|units?|left|in stock|available|stück|stk\.?"
    r"|pièces?|個|点|枚|着|足)(?:\s+left)?"
)
_COUNT = re.compile(r"-?\d{1,15}(?:[.,]\d{1,6})?")
_COUNTED = re.compile(r"\s*\([1-9]\d*\)$")
_SYMBOLS = {
    "○": True,
    "◯": True,
    "◎": True,
    "△": True,
    "✓": True,
    "✔": True,
    "×": False,
    "✗": False,
}
"""Of Japanese lists of stock: there is some, much, little, none."""
_SCHEMA_ORG = re.compile(r"(?:https?://(?:www\.)?schema\.org/|schema:)", re.IGNORECASE)
_NOT_LETTERS = re.compile(r"[\W_]+")


def parse_stock(value: object, decimal: Literal[".", ","]) -> tuple[int | None, str | None]:
    """The pieces in stock, None when unknown, and why it was not read as it stands.

    Shops that oversell count below zero: read as 0. "10+" and ">10" are at least ten. Raises
    InvalidUpdate when ``value`` says nothing about a stock.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _whole(value, value)
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise _invalid(value)
    plain = _plain(value)
    if pieces := _PIECES.fullmatch(plain):
        plain = pieces[1]
    without_bound = _AT_LEAST.sub("", plain).strip()
    digits = without_bound.removeprefix("-").removeprefix("+")
    match = _NUMBER[decimal].fullmatch(digits)
    if match is None:
        available = _known_word(plain)
        if available is None:
            raise _invalid(value)
        return (None if available else 0), "word-for-number"
    if len(match["fraction"] or "") == 3:
        raise _invalid(value)  # one, or a thousand
    whole = float(f"{re.sub(r'[^0-9]', '', match['whole'])}.{match['fraction'] or 0}")
    stock, note = _whole(-whole if without_bound.startswith("-") else whole, value)
    return stock, note or ("at-least" if without_bound != plain else None)


def _whole(number: int | float, value: object) -> tuple[int, str | None]:
    if isinstance(number, float) and not math.isfinite(number):
        raise InvalidUpdate(f"must be a number, is {describe(value)}", reason="invalid-stock")
    if number < 0:
        return 0, "negative"
    if number > LARGEST_STOCK:
        return LARGEST_STOCK, "too-large"
    return int(number), None if number == int(number) else "not-whole"


def parse_availability(value: object) -> bool:
    """Whether an item can be ordered, in the words of Google, Schema.org, shop systems and shops.

    Raises InvalidUpdate for a word that is not known.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int):
        return value > 0
    if isinstance(value, str) and len(value) <= 100:
        plain = _plain(_SCHEMA_ORG.sub("", value))
        if _COUNT.fullmatch(plain):
            return float(plain.replace(",", ".")) > 0
        known = _known_word(plain)
        if known is not None:
            return known
    raise InvalidUpdate(
        f"must be true or false, is {describe(value)}; add other words to a table of the mapping",
        reason="unknown-value",
    )


def _plain(text: str) -> str:
    """``text`` in one spelling, digits and minus as ASCII."""
    if text.isascii():
        return text.strip().casefold()
    wide = unicodedata.normalize("NFKC", text.strip()).replace("\u2212", "-").casefold()
    return "".join(str(unicodedata.decimal(letter, letter)) for letter in wide)


def _known_word(plain: str) -> bool | None:
    if plain in _SYMBOLS:
        return _SYMBOLS[plain]
    return AVAILABILITY.get(_NOT_LETTERS.sub("", _COUNTED.sub("", plain)).casefold())


def _invalid(value: object) -> InvalidUpdate:
    return InvalidUpdate(
        f"must be a number of pieces, is {describe(value)}", reason="invalid-stock"
    )
