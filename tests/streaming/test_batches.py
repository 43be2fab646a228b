# ruff: noqa: ASYNC110  outcomes are reported by callback: waiting for them is polling
"""Batches of what waits: order per key, and whatever a batch leaves is called alone."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from operators.streaming.engine.batches import MOST, BatchedCalls
from operators.streaming.engine.call_policy import CallPolicy
from operators.streaming.engine.keyed_calls import KeyedCalls
from operators.streaming.engine.outcomes import Done, Failed, Outcome, Withdrawn
from schemas.errors import DeadlineExceeded, Rejected, Unavailable
from tests.streaming.calls import POLICY, Item, submit_all
from tests.streaming.test_keyed_calls import Ours

Outcomes = Sequence[Done[Item, int] | None]


def calls_of(
    handle_batch: Callable[[Sequence[Item]], Awaitable[Outcomes]],
    handle: Callable[[Item], Awaitable[int]],
    ours: Ours | None = None,
    policy: CallPolicy = POLICY,
) -> BatchedCalls[Item, int]:
    loop = asyncio.get_running_loop()
    return BatchedCalls(handle_batch, KeyedCalls(handle, lambda item: item.key, policy, loop, ours))


async def number_of(item: Item) -> int:
    return item.number


async def nothing(items: Sequence[Item]) -> Outcomes:
    return [None] * len(items)


async def everything(items: Sequence[Item]) -> Outcomes:
    return [Done(item, item.number) for item in items]


@settings(max_examples=150, deadline=None)
@given(
    keys=st.lists(st.sampled_from("abc"), max_size=40),
    seed=st.integers(0, 2**32 - 1),
)
async def test_every_item_is_handled_once_and_in_the_order_of_its_key(
    keys: list[str], seed: int
) -> None:
    """Batches leave any items; items arrive in any groups."""
    draw = random.Random(seed)
    handled: list[Item] = []

    async def handle_batch(items: Sequence[Item]) -> Outcomes:
        await asyncio.sleep(0)
        if draw.random() < 0.1:
            raise Unavailable("store is away")
        left: set[str] = set()
        outcomes: list[Done[Item, int] | None] = []
        for item in items:
            if item.key in left or draw.random() < 0.3:
                left.add(item.key)
                outcomes.append(None)
            else:
                handled.append(item)
                outcomes.append(Done(item, item.number))
        return outcomes

    async def handle(item: Item) -> int:
        for _ in range(item.yields):
            await asyncio.sleep(0)
        handled.append(item)
        return item.number

    calls = calls_of(handle_batch, handle)
    outcomes: list[Outcome[Item, int]] = []
    items = [Item(key, number, draw.randrange(4)) for number, key in enumerate(keys)]
    for item in items:
        calls.submit(item, outcomes.append)
        if draw.random() < 0.3:
            await asyncio.sleep(0)
    while len(outcomes) < len(items):
        await asyncio.sleep(0)

    for seen in (handled, [outcome.item for outcome in outcomes]):
        assert sorted(item.number for item in seen) == list(range(len(items)))
        for key in "abc":
            of_key = [item.number for item in seen if item.key == key]
            assert of_key == sorted(of_key)


async def test_what_arrives_during_a_batch_is_the_next_one() -> None:
    sizes: list[int] = []
    more = [Item(f"m{n}", n) for n in range(MOST + 1)]
    outcomes: list[Outcome[Item, int]] = []

    async def handle_batch(items: Sequence[Item]) -> Outcomes:
        sizes.append(len(items))
        while more:
            calls.submit(more.pop(), outcomes.append)
        return await everything(items)

    calls = calls_of(handle_batch, number_of)
    calls.submit(Item("a", 0), outcomes.append)
    calls.submit(Item("a", 1), outcomes.append)
    while len(outcomes) < MOST + 3:
        await asyncio.sleep(0)
    assert sizes == [2, MOST, 1]


async def test_a_failed_batch_fails_only_the_bad_item() -> None:
    async def handle_batch(items: Sequence[Item]) -> Outcomes:
        raise RuntimeError("a bug")

    async def handle(item: Item) -> int:
        if item.number == 2:
            raise Rejected("bad")
        return item.number

    outcomes = await submit_all(calls_of(handle_batch, handle), [Item("a", n) for n in range(4)])
    assert [type(outcome) for outcome in outcomes] == [Done, Done, Failed, Done]


async def test_a_batch_that_takes_too_long_is_cancelled_and_called_alone() -> None:
    async def handle_batch(items: Sequence[Item]) -> Outcomes:
        await asyncio.Event().wait()
        raise AssertionError("never set")

    policy = CallPolicy(4, 0.01, 3)
    calls = calls_of(handle_batch, number_of, policy=policy)
    (outcome,) = await submit_all(calls, [Item("a", 1)])
    assert isinstance(outcome, Done)


async def test_an_item_alone_keeps_its_deadline() -> None:
    async def handle(item: Item) -> int:
        await asyncio.Event().wait()
        return item.number

    calls = calls_of(nothing, handle, policy=CallPolicy(4, 0.01, 3))
    (outcome,) = await submit_all(calls, [Item("a", 1)])
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, DeadlineExceeded)


async def test_items_given_up_during_a_batch_are_withdrawn_and_others_called() -> None:
    begun = asyncio.Event()

    async def handle_batch(items: Sequence[Item]) -> Outcomes:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError("never set")

    ours, lost, kept = Ours(), Item("a", 1), Item("b", 2)
    calls = calls_of(handle_batch, number_of, ours)
    outcomes: list[Outcome[Item, int]] = []
    for item in (lost, kept):
        calls.submit(item, outcomes.append)
    await begun.wait()
    ours.lost.add(lost)
    calls.cancel_given_up()
    while len(outcomes) < 2:
        await asyncio.sleep(0)
    assert [type(outcome) for outcome in outcomes] == [Withdrawn, Done]
    assert ours.ended == [lost]


async def test_items_that_may_not_start_are_withdrawn_and_killers_fail() -> None:
    seen: list[Item] = []

    async def handle_batch(items: Sequence[Item]) -> Outcomes:
        seen.extend(items)
        return await everything(items)

    ours = Ours()
    ours.killers.add(Item("a", 1))
    first, second = await submit_all(
        calls_of(handle_batch, number_of, ours), [Item("a", 1), Item("a", 2)]
    )
    assert {outcome.item.number: type(outcome) for outcome in (first, second)} == {
        1: Failed,
        2: Done,
    }
    ours.closed = True
    (closed,) = await submit_all(calls_of(handle_batch, number_of, ours), [Item("b", 3)])
    assert isinstance(closed, Withdrawn)
    assert Item("a", 1) not in seen
    assert Item("b", 3) not in seen


async def test_there_is_no_batch_while_items_are_called_one_at_a_time() -> None:
    async def handle_batch(items: Sequence[Item]) -> Outcomes:
        raise AssertionError("no batch")

    ours = Ours()
    ours.one_at_a_time = True
    calls = calls_of(handle_batch, number_of, ours)
    outcomes = await submit_all(calls, [Item("abc"[n], n) for n in range(3)])
    assert all(isinstance(outcome, Done) for outcome in outcomes)


async def test_once_stopping_no_batch_begins_and_the_calls_are_idle_after_the_last() -> None:
    batches: list[int] = []
    begun, ends = asyncio.Event(), asyncio.Event()

    async def handle_batch(items: Sequence[Item]) -> Outcomes:
        batches.append(len(items))
        begun.set()
        await ends.wait()
        return await everything(items)

    calls = calls_of(handle_batch, number_of)
    outcomes: list[Outcome[Item, int]] = []
    calls.submit(Item("a", 1), outcomes.append)
    await begun.wait()
    assert calls.oldest_seconds >= 0
    calls.submit(Item("b", 2), outcomes.append)
    calls.stop_starting()
    assert not calls.idle
    ends.set()
    while not calls.idle:
        await asyncio.sleep(0)
    assert batches == [1]
    assert [outcome.item.number for outcome in outcomes] == [1]
