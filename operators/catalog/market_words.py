"""Sales markets as shops write them."""

from __future__ import annotations

from functools import cache

from babel import Locale

from operators.catalog.describe import describe
from schemas.errors import InvalidUpdate

_OTHER_NAMES = {
    "usa": "US",
    "u.s.a.": "US",
    "u.s.": "US",
    "united states of america": "US",
    "uk": "GB",
    "u.k.": "GB",
    "gbr": "GB",
    "great britain": "GB",
    "england": "GB",
    "jpn": "JP",
    "ind": "IN",
    "can": "CA",
    "aus": "AU",
    "fra": "FR",
    "deu": "DE",
    "ger": "DE",
    "ita": "IT",
    "esp": "ES",
    "korea": "KR",
}
_LANGUAGES = ("en", "fr", "de", "es", "it", "ja")
"""In which countries are named."""


@cache
def _markets() -> dict[str, str]:
    codes = {str(code) for code in Locale("en").territories}
    codes = {code for code in codes if len(code) == 2} - {"EU", "EZ", "UN", "XA", "XB", "ZZ"}
    named = {
        str(name).casefold(): str(code)
        for language in reversed(_LANGUAGES)
        for code, name in Locale(language).territories.items()
        if code in codes
    }
    return named | {code.casefold(): code for code in codes} | _OTHER_NAMES


def parse_market(text: str) -> str:
    """The ISO 3166-1 code of one market: ``us``, ``USA`` and ``United States`` are US.

    Raises InvalidUpdate for an unknown market, and for several: a product has one.
    """
    market = _markets().get(" ".join(text.casefold().split()))
    if market is None:
        raise InvalidUpdate(
            f"must be one market (ISO 3166-1: US, IN, JP), is {describe(text)}",
            reason="unknown-market",
        )
    return market
