"""A sale price holds between its dates, in the ledger, the index and the events."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.catalog.refresh import next_refresh
from operators.vocabulary.price_bucket import price_bucket
from operators.vocabulary.views import attributes_hash, indexed_attributes
from schemas.catalog import Decision, LedgerEntry, ProductUpdate
from schemas.money import Money
from tests.catalog.small_shop import KEY, NOW, Stream, item, packet

FULL, SALE = Money(amount_minor=100_00, currency="INR"), Money(amount_minor=60_00, currency="INR")
DAY = timedelta(days=1)
MOMENTS = st.integers(-5, 5).map(lambda days: NOW + days * DAY)


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [
        (None, None, SALE),
        (NOW, None, SALE),
        (NOW + DAY, None, FULL),
        (None, NOW, FULL),
        (None, NOW + DAY, SALE),
        (NOW - DAY, NOW + DAY, SALE),
    ],
)
def test_the_price_at_a_moment(
    begin: datetime | None, end: datetime | None, expected: Money
) -> None:
    update = ProductUpdate(price=FULL, sale_price=SALE, sale_from=begin, sale_until=end)
    assert update.price_at(NOW) == expected


@given(begin=st.none() | MOMENTS, end=st.none() | MOMENTS)
def test_the_price_changes_at_refreshes_only(begin: datetime | None, end: datetime | None) -> None:
    update = ProductUpdate(price=FULL, sale_price=SALE, sale_from=begin, sale_until=end)
    entry = LedgerEntry(key=KEY, version=1, update=update)
    moment = NOW - 10 * DAY
    while (due := next_refresh(entry, moment)) is not None:
        just_before = due - timedelta(microseconds=1)
        assert update.price_at(moment) == update.price_at(just_before)
        moment = due
    assert update.price_at(moment) == update.price_at(NOW + 10 * DAY)


async def test_the_end_of_a_sale_changes_index_and_event(stream: Stream) -> None:
    await put_on_sale(stream, begin=NOW - DAY, end=NOW + DAY)
    assert await stored_bucket(stream) == price_bucket(SALE)

    applied = await stream.refresh()

    assert NOW + DAY <= stream.now < NOW + DAY + timedelta(seconds=2)
    assert applied.decision is Decision.UPDATED
    assert applied.embeddings == 0
    assert applied.change is not None
    assert applied.change.product is not None
    assert applied.change.product.price == FULL
    assert await stored_bucket(stream) == price_bucket(FULL)
    assert stream.shop.schedule.due == {}


async def test_a_sale_that_begins_later_changes_the_price_twice(stream: Stream) -> None:
    await put_on_sale(stream, begin=NOW + DAY, end=NOW + 2 * DAY)
    prices = []
    while stream.shop.schedule.due:
        applied = await stream.refresh()
        assert applied.change is not None
        assert applied.change.product is not None
        prices.append(applied.change.product.price)
        assert await stored_bucket(stream) == price_bucket(prices[-1] or FULL)
    assert prices == [SALE, FULL]


async def put_on_sale(stream: Stream, begin: datetime, end: datetime) -> None:
    """As a packet with a sale's dates does."""
    await stream.send(packet("upsert", 1, item()))
    entry = await stream.entry()
    sale = {"price": FULL, "sale_price": SALE, "sale_from": begin, "sale_until": end}
    entry = entry.model_copy(update={"update": entry.update.model_copy(update=sale)})
    indexed = indexed_attributes(entry, stream.now)
    await stream.shop.index.patch(KEY, indexed)
    changes = {"attributes_hash": attributes_hash(indexed), "changed_at": stream.now}
    await stream.shop.ledger.write(entry.model_copy(update=changes))
    await stream.shop.schedule.set(KEY, next_refresh(entry, stream.now))


async def stored_bucket(stream: Stream) -> int | None:
    stored = await stream.shop.index.get(KEY)
    assert stored is not None
    return stored.attributes.price_bucket
