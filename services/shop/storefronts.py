"""The shop's storefronts: a market and a language each."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from babel import Locale
from babel.numbers import format_currency, format_decimal, format_percent

from schemas.money import Money
from services.shop.texts import Texts, texts_of


@dataclass(frozen=True, slots=True)
class Storefront:
    """Where products are sold, and in which language pages speak of them."""

    path: str
    """First part of its addresses, e.g. in-hi."""
    market: str
    currency: str
    """Of bounds that people enter; a product has its own."""
    locale: Locale
    sizes: tuple[str, ...]
    """Size systems that are usual here, the first one first."""

    @property
    def language(self) -> str:
        """BCP 47 tag of the pages."""
        return f"{self.locale.language}-{self.locale.territory}"

    @property
    def texts(self) -> Texts:
        """What its pages say."""
        return texts_of(self.locale.language)

    def price(self, money: Money) -> str:
        """``money`` in its own currency, with the digits and groups of this place; without decimals
        when there are none."""
        amount = money.major
        if amount != amount.to_integral_value():
            return format_currency(amount, money.currency, locale=self.locale)
        pattern = self.locale.currency_formats["standard"].pattern.replace(".00", "")
        return format_currency(
            amount, money.currency, pattern, locale=self.locale, currency_digits=False
        )

    def percent(self, share: float) -> str:
        """A share of 1 in whole per cent, rounded down: a chance is never called certain."""
        return format_percent(int(share * 100) / 100, locale=self.locale)

    def number(self, value: int | Decimal) -> str:
        """``value`` in the digits of this place."""
        return format_decimal(value, locale=self.locale)


STOREFRONTS = {
    one.path: one
    for one in (
        Storefront("in-en", "IN", "INR", Locale("en", "IN"), ("UK", "ALPHA")),
        Storefront("in-hi", "IN", "INR", Locale("hi", "IN"), ("UK", "ALPHA")),
        Storefront("us", "US", "USD", Locale("en", "US"), ("US", "ALPHA")),
        Storefront("jp", "JP", "JPY", Locale("ja", "JP"), ("CM", "JP", "ALPHA")),
    )
}
DEFAULT = STOREFRONTS["us"]
_BY_LANGUAGE = {"hi": "in-hi", "ja": "jp", "en-in": "in-en"}


def preferred(accept_language: str) -> Storefront:
    """The storefront for a browser's ``Accept-Language``: of the wanted languages the first one
    that a storefront speaks."""
    wanted: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept_language.split(",")[:20]):
        tag, _, weight = part.strip().partition(";q=")
        try:
            wanted.append((-float(weight or 1), place, tag.strip().lower()))
        except ValueError:
            continue
    for _, _, tag in sorted(wanted):
        path = _BY_LANGUAGE.get(tag) or _BY_LANGUAGE.get(tag.partition("-")[0])
        if path is not None:
            return STOREFRONTS[path]
        if tag.partition("-")[0] == "en":
            return DEFAULT
    return DEFAULT
