"""Batches of packets: the same ledger, index and changes as one packet at a time."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given, note, settings
from hypothesis import strategies as st

from operators.catalog.apply import Applied, apply_packet
from operators.catalog.apply_batch import apply_batch
from operators.catalog.parts import CatalogParts
from schemas.base import to_json
from schemas.catalog import Decision, Packet, ProductChange
from tests.catalog.small_shop import BLUE, Shop, item, packet
from tests.catalog.test_replay_property import Countdown, Crash, fragile, histories, state

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEYS = ("shop:1", "shop:2")


def positioned(log: Sequence[Packet]) -> list[tuple[Packet, str]]:
    return [(sent, f"catalog.updates/0/{offset}") for offset, sent in enumerate(log)]


async def apply_grouped(
    packets: Sequence[tuple[Packet, str]], parts: CatalogParts
) -> dict[str, Applied]:
    """Apply one batch, and alone what it leaves; outcomes by position."""
    outcomes = await apply_batch(packets, parts, lambda: NOW)
    done = {}
    for (sent, position), applied in zip(packets, outcomes, strict=True):
        done[position] = applied or await apply_packet(sent, position, parts, lambda: NOW)
    return done


def groups_of(
    packets: list[tuple[Packet, str]], draw: random.Random
) -> list[list[tuple[Packet, str]]]:
    """``packets`` in their order, cut into batches of 1 to 6."""
    groups = []
    while packets:
        size = draw.randint(1, 6)
        groups.append(packets[:size])
        packets = packets[size:]
    return groups


@settings(max_examples=150)
@given(log=histories(), seed=st.integers(0, 2**32 - 1))
async def test_any_grouping_ends_as_one_at_a_time(log: list[Packet], seed: int) -> None:
    grouped, single = Shop(), Shop()
    parts = grouped.parts()
    in_batches: dict[str, Applied] = {}
    alone: dict[str, Applied] = {}
    for group in groups_of(positioned(log), random.Random(seed)):
        in_batches |= await apply_grouped(group, parts)
    for sent, position in positioned(log):
        alone[position] = await apply_packet(sent, position, single.parts(), lambda: NOW)

    assert in_batches == alone
    # The flow writes the changes of a batch without reading them back.
    for change in (applied.change for applied in in_batches.values()):
        assert change is None or ProductChange.model_validate_json(to_json(change)) == change
    assert grouped.ledger.entries == single.ledger.entries
    for key in KEYS:
        assert await state(grouped, key) == await state(single, key)


@settings(max_examples=150)
@given(log=histories(), seed=st.integers(0, 2**32 - 1))
async def test_crashes_and_other_groupings_end_in_the_same_state(
    log: list[Packet], seed: int
) -> None:
    """A crash before or after any call; what follows may be grouped in any other way."""
    draw = random.Random(seed)
    shop, single = Shop(), Shop()
    packets, start, crashed = positioned(log), 0, 0
    while start < len(packets):
        parts = fragile(shop, Countdown(draw.randrange(30) if crashed < 6 else None))
        try:
            for group in groups_of(packets[start:], draw):
                await apply_grouped(group, parts)
                start += len(group)
        except Crash:
            crashed += 1
            start = draw.randrange(start + 1)
    note(f"{crashed} crashes")
    for sent, position in packets:
        await apply_packet(sent, position, single.parts(), lambda: NOW)

    for key in KEYS:
        assert await state(shop, key) == await state(single, key)


async def stocked(*product_ids: str) -> Shop:
    """A shop whose products are known and indexed."""
    shop = Shop()
    for product_id in product_ids:
        sent = packet("upsert", 1, item(), product_id=product_id)
        await apply_packet(sent, f"p/0/{product_id}", shop.parts(), lambda: NOW)
    return shop


async def test_facts_of_many_products_are_one_write() -> None:
    shop = await stocked("1", "2")
    shop.ledger.writes.clear()
    prices = [("1", 2, "Rs. 1,010"), ("2", 2, "Rs. 4,000"), ("1", 3, "Rs. 5,000")]
    applied = await apply_batch(
        [
            (packet("patch", version, {"price": price}, product_id=product_id), f"p/1/{n}")
            for n, (product_id, version, price) in enumerate(prices)
        ],
        shop.parts(),
        lambda: NOW,
    )
    assert [one and one.decision for one in applied] == [Decision.UPDATED] * 3
    assert [one and one.change and one.change.version for one in applied] == [2, 2, 3]
    assert sorted(shop.ledger.writes) == ["shop:1", "shop:2"]
    assert sorted(shop.index.patches) == ["shop:1", "shop:2"]


async def test_a_bad_packet_holds_nothing_back() -> None:
    shop = await stocked("1")
    bad, good = packet("patch", 2, {}, vendor="nobody"), packet("patch", 3, {"stock": 0})
    future = packet("patch", 2**62, {"stock": 1})
    applied = await apply_batch(
        [(bad, "p/1/0"), (future, "p/1/1"), (good, "p/1/2")], shop.parts(), lambda: NOW
    )
    assert [one and one.decision for one in applied] == [None, None, Decision.UPDATED]


async def test_a_picture_holds_back_the_later_packets_of_its_product_only() -> None:
    shop = await stocked("1", "2")
    applied = await apply_batch(
        [
            (packet("patch", 2, {"stock": 1}), "p/1/0"),
            (packet("patch", 3, {"pictures": [BLUE]}), "p/1/1"),
            (packet("patch", 4, {"stock": 2}), "p/1/2"),
            (packet("patch", 2, {"stock": 3}, product_id="2"), "p/1/3"),
        ],
        shop.parts(),
        lambda: NOW,
    )
    assert [one is not None for one in applied] == [True, False, False, True]


async def test_a_product_that_the_index_has_lost_is_left_unwritten() -> None:
    shop = await stocked("1", "2")
    await shop.index.delete("shop:1")
    before = shop.ledger.entries["shop:1"]
    applied = await apply_batch(
        [
            (packet("patch", 2, {"stock": 0}), "p/1/0"),
            (packet("patch", 2, {"stock": 0}, product_id="2"), "p/1/1"),
        ],
        shop.parts(),
        lambda: NOW,
    )
    assert [one is not None for one in applied] == [False, True]
    assert shop.ledger.entries["shop:1"] == before


async def test_what_is_taken_back_in_the_same_batch_is_written_to_the_index() -> None:
    """A crash may have left the first packet's attributes there."""
    shop = await stocked("1")
    shop.index.patches.clear()
    await apply_batch(
        [
            (packet("patch", 2, {"stock": 0}), "p/1/0"),
            (packet("patch", 3, {"stock": 5}), "p/1/1"),
        ],
        shop.parts(),
        lambda: NOW,
    )
    assert shop.index.patches == ["shop:1"]


async def test_an_unreadable_entry_is_left() -> None:
    shop = await stocked("1")
    shop.ledger.entries["shop:1"] = "{"
    sent = packet("patch", 2, {"stock": 0})
    assert await apply_batch([(sent, "p/1/0")], shop.parts(), lambda: NOW) == [None]


async def test_a_sale_is_scheduled_and_unscheduled() -> None:
    shop = Shop()
    parts = shop.parts()
    await apply_packet(packet("upsert", 1, item()), "p/0/0", parts, lambda: NOW)
    entry = await shop.ledger.read("shop:1")
    assert entry is not None
    assert entry.update.price is not None
    reduced = entry.update.price.model_copy(update={"amount_minor": 1})
    ends = NOW + timedelta(days=1)
    on_sale = entry.update.model_copy(update={"sale_price": reduced, "sale_until": ends})
    await shop.ledger.write(entry.model_copy(update={"update": on_sale}))

    async def apply(sent: Packet, position: str, now: datetime) -> Applied | None:
        (applied,) = await apply_batch([(sent, position)], parts, lambda: now)
        return applied

    assert await apply(packet("patch", 2, {"stock": 1}), "p/0/1", NOW) is not None
    assert shop.schedule.due == {"shop:1": ends}
    after = await apply(packet("refresh", 0), "p/0/2", ends)
    assert after is not None
    assert after.decision is Decision.UPDATED
    assert shop.schedule.due == {}
