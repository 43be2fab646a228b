"""Which sale and list prices are believed: a reduction is from a higher price to a lower one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from operators.catalog.notes import Note
from schemas.catalog import ProductUpdate
from schemas.money import Money

SALE_FIELDS = ("sale_price", "sale_from", "sale_until")


def believe(values: dict[str, Any], note: Callable[[str, str], None]) -> None:
    """Empty the sale and the list price in ``values`` that cannot be true.

    ``note`` takes field and reason. The price that a patch leaves out is not known here;
    ``ProductUpdate.price_at`` compares again.
    """
    price, list_price, sale = (values.get(name) for name in ("price", "list_price", "sale_price"))
    if list_price is not None and price is not None and not _is_at_most(price, list_price):
        note("list_price", "below-price")
        values["list_price"] = None
    if sale is not None and (reason := _disbelief(sale, price, values)) is not None:
        note("sale_price", reason)
        values.update(dict.fromkeys(SALE_FIELDS & values.keys()))


def _disbelief(sale: Money, price: Money | None, values: dict[str, Any]) -> str | None:
    begin, end = values.get("sale_from"), values.get("sale_until")
    if sale.amount_minor == 0:
        return "zero"
    if price is not None and (sale == price or not _is_at_most(sale, price)):
        return "not-below-price"
    if begin is not None and end is not None and end <= begin:
        return "ends-before-it-begins"
    return None


def _is_at_most(lower: Money, higher: Money) -> bool:
    return lower.currency == higher.currency and lower.amount_minor <= higher.amount_minor


def expiry(update: ProductUpdate, moment: datetime) -> tuple[Note, ...]:
    """A note when the sale in ``update`` is over at ``moment``."""
    over = update.sale_until is not None and update.sale_until <= moment
    return (Note("sale_price", "expired"),) if over and update.sale_price is not None else ()
