"""Coarse price buckets that the vector store filters by.

A bucket spans a factor of 2^(1/8), about 9 %, so that most price changes do not write to the
store. Exact prices stay in the ledger: a search filters by all buckets that overlap the price
range, and the exact price is checked afterwards.
"""

from __future__ import annotations

import math
from decimal import Decimal

from schemas.money import Money, minor_digits

BUCKETS_PER_DOUBLING = 8
_LARGEST_MINOR = 10**15


def price_bucket(price: Money) -> int:
    """``floor(8 * log2(amount in major units))``; monotonic in the amount.

    A price of 0 has the bucket of one minor unit.
    """
    one_minor = Decimal(1).scaleb(-minor_digits(price.currency))
    return math.floor(BUCKETS_PER_DOUBLING * math.log2(max(price.major, one_minor)))


def bucket_range(lowest: Money | None, highest: Money | None) -> tuple[int, int] | None:
    """The first and last bucket (inclusive) of prices from ``lowest`` to ``highest`` (inclusive).

    None as an argument: unbounded on that side. Returns None (no restriction) without any bound.
    Raises ValueError when the currencies differ.
    """
    bound = lowest or highest
    if bound is None:
        return None
    if lowest and highest and lowest.currency != highest.currency:
        raise ValueError(
            f"the bounds of a price range must have one currency, not {lowest.currency} and "
            f"{highest.currency}"
        )
    bottom = lowest or Money(amount_minor=0, currency=bound.currency)
    top = highest or Money(amount_minor=_LARGEST_MINOR, currency=bound.currency)
    return price_bucket(bottom), price_bucket(top)
