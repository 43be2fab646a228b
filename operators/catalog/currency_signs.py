"""Signs, abbreviations and codes by which shops name a currency."""

from __future__ import annotations

from functools import lru_cache

from babel import Locale
from babel.numbers import is_currency

from operators.catalog.describe import describe
from schemas.errors import InvalidUpdate

_SHARED: dict[str, frozenset[str]] = {
    sign: frozenset(codes.split())
    for sign, codes in {
        "$": "USD CAD AUD NZD SGD HKD TWD MXN ARS CLP COP UYU DOP BND JMD TTD BSD BBD BZD FJD GYD"
        " LRD NAD SRD XCD KYD BMD SBD CUP NIO MOP BRL",
        "¥": "JPY CNY",
        "元": "CNY TWD HKD MOP",
        "圓": "TWD HKD",
        "kr": "SEK NOK DKK ISK",
        "kr.": "SEK NOK DKK ISK",
        "rs": "INR PKR LKR NPR MUR SCR",
        "rs.": "INR PKR LKR NPR MUR SCR",
        "c$": "CAD NIO",
        "lei": "RON MDL",
        "р.": "RUB BYN",
        "руб": "RUB BYN",
        "руб.": "RUB BYN",
        "dh": "AED MAD",
        "dhs": "AED MAD",
        "fr.": "CHF XAF XOF",
        "ريال": "SAR QAR OMR YER IRR",  # what NFKC makes of the sign ﷼
    }.items()
}
"""Signs of several currencies: the mapping declares which."""

_OWN: dict[str, str] = {
    "us$": "USD",
    "u.s.$": "USD",
    "au$": "AUD",
    "s$": "SGD",
    "mex$": "MXN",
    "euro": "EUR",
    "euros": "EUR",
    "円": "JPY",
    "人民币": "CNY",
    "원": "KRW",
    "zł": "PLN",
    "zl": "PLN",
    "kč": "CZK",
    "ft": "HUF",
    "лв": "BGN",
    "лв.": "BGN",
    "₽": "RUB",
    "₺": "TRY",
    "tl": "TRY",
    "฿": "THB",
    "บาท": "THB",
    "đ": "VND",
    "vnđ": "VND",
    "rp": "IDR",
    "rp.": "IDR",
    "rm": "MYR",
    "r": "ZAR",
    "₴": "UAH",
    "грн": "UAH",
    "грн.": "UAH",
    "₸": "KZT",
    "₦": "NGN",
    "₵": "GHS",
    "₲": "PYG",
    "₡": "CRC",
    "₾": "GEL",
    "₼": "AZN",
    "৳": "BDT",
    "sfr": "CHF",
    "sfr.": "CHF",
    "د.إ": "AED",
    "ر.س": "SAR",
    "ر.ق": "QAR",
    "د.ك": "KWD",
}
"""Signs of one currency, in addition to those of CLDR."""


_NO_MONEY = frozenset({"XXX", "XTS"})
"""Codes of ISO 4217 for "no currency" and for tests."""


def _signs() -> dict[str, frozenset[str]]:
    """CLDR's English symbols are unambiguous, except for those that are shared."""
    english = Locale("en").currency_symbols
    alone = {
        "".join(str(symbol).casefold().split()): str(code)
        for code, symbol in english.items()
        if not str(symbol).isascii() or "$" in str(symbol)
    }
    del alone["¤"]
    return {sign: frozenset((code,)) for sign, code in {**alone, **_OWN}.items()} | _SHARED


_SIGNS = _signs()


@lru_cache(1024)  # a feed repeats a few of them on every row
def currencies_of(affix: str) -> frozenset[str]:
    """The ISO 4217 codes that ``affix`` (case-folded) may stand for; none when it is no currency.

    A sign may be repeated in another form: ``$19.99 CAD``, ``US $12``.
    """
    joined = "".join(affix.split())
    if known := _SIGNS.get(joined):
        return known
    code = joined.upper()
    if len(code) == 3 and code.isascii() and is_currency(code) and code not in _NO_MONEY:
        return frozenset((code,))
    words = affix.split()
    if len(words) < 2:
        return frozenset()
    return frozenset.intersection(*(currencies_of(word) for word in words))


def stated_currency(affixes: tuple[str, ...], declared: str | None, text: str) -> str:
    """The one currency that all ``affixes`` of the price ``text`` and the mapping agree on.

    Raises InvalidUpdate, which names the setting where the text leaves it open.
    """
    possible: frozenset[str] | None = None
    for affix in affixes:
        named = currencies_of(affix)
        if not named:
            raise _invalid(f"{describe(text)} is not a price: {affix[:20]!r} is no known currency")
        possible = named if possible is None else possible & named
    if possible is None and declared is None:
        raise _invalid(f"{describe(text)} states no currency; set currency in the mapping")
    if possible is None:
        possible = frozenset((str(declared),))
    if not possible:
        raise _invalid(f"{describe(text)} states two currencies")
    if declared is not None and declared not in possible:
        raise _invalid(f"{describe(text)} is not in {declared}, which the mapping declares")
    if declared is None and len(possible) > 1:
        several = ", ".join(sorted(possible)[:4])
        raise _invalid(
            f"{describe(text)} may be in one of several currencies ({several}); set currency in "
            "the mapping"
        )
    return declared or next(iter(possible))


def _invalid(problem: str) -> InvalidUpdate:
    return InvalidUpdate(problem, reason="invalid-price")
