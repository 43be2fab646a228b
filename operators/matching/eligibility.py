"""Whether a product may be shown for a layer, decided on its exact state."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from schemas.attributes import Department, Gender
from schemas.catalog import LedgerEntry
from schemas.looks import Preferences
from schemas.money import Money


class Audience(Protocol):
    """For whom products are: a look, its event, or a search."""

    @property
    def market(self) -> str | None:
        """Where they are sold; None: anywhere."""
        ...

    @property
    def gender(self) -> Gender | None:
        """None: any."""
        ...


def passes(
    entry: LedgerEntry,
    audience: Audience,
    department: Department | None,
    preferences: Sequence[Preferences],
    moment: datetime,
) -> bool:
    """Whether the product can be ordered, is for ``audience`` and satisfies all ``preferences``, at
    its price of ``moment``.

    ``department``: None: any. A product of unknown gender passes for any gender.
    """
    attributes, update = entry.attributes, entry.update
    if not entry.exists or not update.in_stock:
        return False
    own = attributes.department
    if own is None or (department is not None and own.value != department):
        return False
    if audience.market is not None and update.market != audience.market:
        return False
    if audience.gender is not None and attributes.gender is not None:
        fits = attributes.gender.value in (audience.gender, Gender.UNISEX)
        if not fits:
            return False
    price = update.price_at(moment)
    return all(_satisfies(entry, own.value, preference, price) for preference in preferences)


def _satisfies(
    entry: LedgerEntry, department: str, preferences: Preferences, price: Money | None
) -> bool:
    attributes, update = entry.attributes, entry.update
    brand = update.brand.casefold() if update.brand else None
    colour = attributes.colour.value if attributes.colour else None
    sizes = preferences.sizes.get(Department(department), ())
    return (
        (not preferences.brands or brand in {name.casefold() for name in preferences.brands})
        and brand not in {name.casefold() for name in preferences.excluded_brands}
        and (not preferences.colours or colour in preferences.colours)
        and (not sizes or not set(sizes).isdisjoint(attributes.sizes))
        and _within(price, preferences.min_price, preferences.max_price)
    )


def _within(price: Money | None, lowest: Money | None, highest: Money | None) -> bool:
    """Whether the price lies between the bounds (inclusive).

    An unknown price, or one in another currency, is outside any bound.
    """
    for bound, sign in ((lowest, 1), (highest, -1)):
        if bound is not None and (
            price is None
            or price.currency != bound.currency
            or sign * price.amount_minor < sign * bound.amount_minor
        ):
            return False
    return True
