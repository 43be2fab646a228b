# ruff: noqa: ASYNC110  outcomes are reported by callback: waiting for them is polling
"""KeyedCalls: order per key, the window, and what each error means."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.streaming.engine.keyed_calls import CallPolicy, Done, Failed, KeyedCalls
from schemas.errors import (
    DeadlineExceeded,
    ImageRefused,
    IndexMismatch,
    PictureUnavailable,
    Unavailable,
)

POLICY = CallPolicy(
    window=4,
    deadline_seconds=5.0,
    attempts=3,
    first_pause_seconds=0.001,
    longest_pause_seconds=0.002,
)


@dataclass(frozen=True)
class Item:
    key: str
    number: int
    yields: int = 0
    """How often the call lets others run."""
    failures: int = 0
    """How often a part is unavailable before the call succeeds."""
    error: type[BaseException] | None = None


async def outcomes_of(
    handle: Callable[[Item], Awaitable[int]], items: list[Item], policy: CallPolicy = POLICY
) -> list[Done[Item, int] | Failed[Item]]:
    calls = KeyedCalls(handle, lambda item: item.key, policy, asyncio.get_running_loop())
    outcomes: list[Done[Item, int] | Failed[Item]] = []
    for item in items:
        calls.submit(item, outcomes.append)
    while len(outcomes) < len(items):
        await asyncio.sleep(0)
    return outcomes


items = st.lists(
    st.builds(
        Item,
        key=st.sampled_from("abc"),
        number=st.integers(0, 10**6),
        yields=st.integers(0, 4),
        failures=st.sampled_from([0, 0, 0, 1, 2]),
        error=st.sampled_from(
            [None, None, ImageRefused, ZeroDivisionError, asyncio.CancelledError, SystemExit]
        ),
    ),
    max_size=30,
)


@settings(max_examples=80, deadline=None)
@given(items=items, window=st.integers(1, 6))
def test_order_per_key_completeness_and_window(items: list[Item], window: int) -> None:
    """Whatever calls take, and however they end: every item one outcome, each key in order."""
    running: dict[str, int] = defaultdict(int)
    most_at_once = 0
    failures_left = {id(item): item.failures for item in items}

    async def handle(item: Item) -> int:
        nonlocal most_at_once
        running[item.key] += 1
        most_at_once = max(most_at_once, sum(running.values()))
        assert running[item.key] == 1, "two calls of one key overlap"
        try:
            for _ in range(item.yields):
                await asyncio.sleep(0)
            if failures_left[id(item)]:
                failures_left[id(item)] -= 1
                raise Unavailable("away for a moment")
            if item.error is not None:
                raise item.error("as drawn")
            return item.number
        finally:
            running[item.key] -= 1

    policy = CallPolicy(window, 5.0, 3, 0.0001, 0.0002)
    outcomes = asyncio.run(outcomes_of(handle, items, policy))

    assert most_at_once <= window
    for key in "abc":
        ours = [item for item in items if item.key == key]
        assert [id(o.item) for o in outcomes if o.item.key == key] == [id(item) for item in ours]
    for outcome in outcomes:
        if isinstance(outcome, Done):
            assert outcome.item.error is None
            assert outcome.value == outcome.item.number
        else:
            assert type(outcome.error) is outcome.item.error
            assert outcome.attempts == outcome.item.failures + 1


async def test_keys_run_side_by_side() -> None:
    both = asyncio.Barrier(2)

    async def meet(item: Item) -> int:
        await both.wait()
        return item.number

    outcomes = await outcomes_of(meet, [Item("a", 1), Item("b", 2)])

    assert all(isinstance(outcome, Done) for outcome in outcomes)


async def test_what_is_submitted_just_as_the_last_call_ends_is_called() -> None:
    loop = asyncio.get_running_loop()
    policy = CallPolicy(1, 5.0, 3)
    last = asyncio.Event()

    async def handle(item: Item) -> int:
        return item.number

    def report(outcome: Done[Item, int] | Failed[Item]) -> None:
        if (number := outcome.item.number) == 3:
            last.set()
        else:
            loop.call_soon(calls.submit, Item("a", number + 1), report)

    calls = KeyedCalls(handle, lambda item: item.key, policy, loop)
    calls.submit(Item("a", 1), report)

    async with asyncio.timeout(1):
        await last.wait()


async def test_a_late_call_is_failed_with_deadline_exceeded() -> None:
    async def hang(item: Item) -> int:
        await asyncio.Event().wait()
        return 0

    (failed,) = await outcomes_of(hang, [Item("a", 1)], CallPolicy(1, 0.02, 3))

    assert isinstance(failed, Failed)
    assert isinstance(failed.error, DeadlineExceeded)


async def test_the_calls_after_a_late_one_are_judged_by_themselves() -> None:
    """The same runner makes all: nothing of the first's cancellation may stick to it."""

    async def handle(item: Item) -> int:
        if item.number == 1:
            await asyncio.sleep(60)
        if item.number == 2:
            raise asyncio.CancelledError
        async with asyncio.timeout(10):
            await asyncio.sleep(0)
        return item.number

    items = [Item("a", 1), Item("a", 2), Item("a", 3)]
    late, cancelled, done = await outcomes_of(handle, items, CallPolicy(1, 0.1, 3))

    assert isinstance(late, Failed)
    assert isinstance(late.error, DeadlineExceeded)
    assert isinstance(cancelled, Failed)
    assert isinstance(cancelled.error, asyncio.CancelledError)
    assert isinstance(done, Done)


async def test_a_call_that_answers_its_cancellation_is_done() -> None:
    async def handle(item: Item) -> int:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return -item.number
        return item.number

    outcomes = await outcomes_of(handle, [Item("a", 1), Item("a", 2)], CallPolicy(1, 0.02, 3))

    assert [o.value for o in outcomes if isinstance(o, Done)] == [-1, -2]


async def test_a_timeout_of_the_calls_own_is_no_deadline() -> None:
    async def handle(item: Item) -> int:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(60)
        return item.number

    (failed,) = await outcomes_of(handle, [Item("a", 1)])

    assert isinstance(failed, Failed)
    assert isinstance(failed.error, TimeoutError)


@pytest.mark.parametrize("error", [ImageRefused, IndexMismatch, DeadlineExceeded, KeyError])
async def test_errors_that_no_second_try_can_cure(error: type[Exception]) -> None:
    async def fail(item: Item) -> int:
        raise error("no")

    (failed,) = await outcomes_of(fail, [Item("a", 1)])

    assert isinstance(failed, Failed)
    assert isinstance(failed.error, error)
    assert failed.attempts == 1


async def test_a_picture_that_stays_away_is_given_up_after_the_attempts() -> None:
    async def fetch(item: Item) -> int:
        raise PictureUnavailable("host is down")

    (failed,) = await outcomes_of(fetch, [Item("a", 1)])

    assert isinstance(failed, Failed)
    assert isinstance(failed.error, PictureUnavailable)
    assert failed.attempts == POLICY.attempts


async def test_an_outage_is_waited_out_with_the_window_full_and_nothing_else_begun() -> None:
    away, begun = True, set()

    async def handle(item: Item) -> int:
        begun.add(item.number)
        if away:
            raise Unavailable("store is away")
        return item.number

    calls = KeyedCalls(handle, lambda item: item.key, POLICY, asyncio.get_running_loop())
    outcomes: list[Done[Item, int] | Failed[Item]] = []
    for number in range(10):
        calls.submit(Item(str(number), number), outcomes.append)
    assert not calls.settled
    await asyncio.sleep(0.05)

    assert outcomes == []
    assert begun == {0, 1, 2, 3}, "the window is 4"

    away = False
    while len(outcomes) < 10:
        await asyncio.sleep(0.001)
    assert all(isinstance(outcome, Done) for outcome in outcomes)


async def test_settled_tells_an_outage_from_slow_calls() -> None:
    slow = asyncio.Event()

    async def handle(item: Item) -> int:
        if item.key == "slow":
            await slow.wait()
            return item.number
        raise Unavailable("store is away")

    policy = CallPolicy(4, 5.0, 3, 60.0, 60.0)
    calls = KeyedCalls(handle, lambda item: item.key, policy, asyncio.get_running_loop())
    outcomes: list[Done[Item, int] | Failed[Item]] = []
    calls.submit(Item("slow", 1), outcomes.append)
    calls.submit(Item("waits", 2), outcomes.append)
    await asyncio.sleep(0.01)
    assert not calls.settled

    slow.set()
    await asyncio.sleep(0.01)
    assert calls.settled
