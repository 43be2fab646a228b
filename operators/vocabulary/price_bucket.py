"""Coarse price buckets: what the vector store filters on, so that few price changes touch it.

A bucket spans a factor of 2^(1/8), about 9 %. Exact prices stay in the ledger; a search filters by
the buckets that can hold a price of the range, and the exact price is checked afterwards.
"""

from __future__ import annotations

import math

from schemas.money import Money

BUCKETS_PER_DOUBLING = 8
_LARGEST_MINOR = 10**15


def price_bucket(price: Money) -> int:
    """``floor(8 * log2(amount in major units))``; never decreases as the amount grows.

    Nothing costs less than one minor unit here: a price of 0 shares its bucket.
    """
    one_minor = Money(amount_minor=1, currency=price.currency).major
    return math.floor(BUCKETS_PER_DOUBLING * math.log2(max(price.major, one_minor)))


def bucket_range(lowest: Money | None, highest: Money | None) -> tuple[int, int] | None:
    """The buckets, both ends included, of every price from ``lowest`` to ``highest`` (included).

    None: no bound on that side. No bound at all gives None: no restriction. Raises ValueError
    when the two are in different currencies.
    """
    bound = lowest or highest
    if bound is None:
        return None
    if lowest and highest and lowest.currency != highest.currency:
        raise ValueError(f"a price range from {lowest.currency} to {highest.currency}")
    bottom = lowest or Money(amount_minor=0, currency=bound.currency)
    top = highest or Money(amount_minor=_LARGEST_MINOR, currency=bound.currency)
    return price_bucket(bottom), price_bucket(top)
