# ruff: noqa: ASYNC110  outcomes are reported by callback: waiting for them is polling
"""KeyedCalls: order per key, the window, and items that go to another process."""

from __future__ import annotations

import asyncio
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.streaming.engine.call_policy import CallPolicy
from operators.streaming.engine.keyed_calls import KeyedCalls
from operators.streaming.engine.outcomes import Done, Failed, Outcome, Withdrawn
from schemas.errors import (
    ImageRefused,
    KilledProcess,
    Unavailable,
)
from tests.streaming.calls import POLICY, Item, outcomes_of

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
    """However long calls take and however they end: one outcome per item, in order per key."""
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
            assert isinstance(outcome, Failed)
            assert type(outcome.error) is outcome.item.error
            assert outcome.attempts == outcome.item.failures + 1


async def test_keys_run_concurrently() -> None:
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

    def report(outcome: Outcome[Item, int]) -> None:
        if (number := outcome.item.number) == 3:
            last.set()
        else:
            loop.call_soon(calls.submit, Item("a", number + 1), report)

    calls = KeyedCalls(handle, lambda item: item.key, policy, loop)
    calls.submit(Item("a", 1), report)

    async with asyncio.timeout(1):
        await last.wait()


class Ours:
    """An admission whose items may be closed and given up."""

    def __init__(self) -> None:
        self.one_at_a_time = False
        self.killers: set[Item] = set()
        self.closed = False
        self.lost: set[Item] = set()
        self.ended: list[Item] = []

    def start(self, item: Item) -> bool:
        if item in self.killers:
            raise KilledProcess("it died", attempts=5)
        return not self.closed

    def given_up(self, item: Item) -> bool:
        return item in self.lost

    def withdrawn(self, item: Item) -> None:
        self.ended.append(item)


@pytest.mark.parametrize("waits", [False, True], ids=["in a call", "between two attempts"])
async def test_a_call_that_is_given_up_is_withdrawn_and_its_key_goes_on(waits: bool) -> None:
    async def handle(item: Item) -> int:
        if item.number == 1:
            if waits:
                raise Unavailable("store is away")
            await asyncio.Event().wait()
        return item.number

    ours, lost = Ours(), Item("a", 1)
    policy = CallPolicy(4, 5.0, 3, 60.0, 60.0)
    loop = asyncio.get_running_loop()
    calls = KeyedCalls(handle, lambda item: item.key, policy, loop, ours)
    outcomes: list[Outcome[Item, int]] = []
    for item in (lost, Item("a", 2), Item("b", 3)):
        calls.submit(item, outcomes.append)
    while not outcomes:
        await asyncio.sleep(0)

    ours.lost.add(lost)
    calls.cancel_given_up()
    while len(outcomes) < 3:
        await asyncio.sleep(0)

    assert [type(outcome) for outcome in outcomes] == [Done, Withdrawn, Done]
    assert [outcome.item.number for outcome in outcomes] == [3, 1, 2]
    assert ours.ended == [lost]
    assert calls.waits == []


async def test_items_that_may_not_start_are_withdrawn_without_a_call() -> None:
    called: list[Item] = []

    async def handle(item: Item) -> int:
        called.append(item)
        return item.number

    ours = Ours()
    ours.closed = True
    loop = asyncio.get_running_loop()
    calls = KeyedCalls(handle, lambda item: item.key, POLICY, loop, ours)
    outcomes: list[Outcome[Item, int]] = []
    for number in range(9):
        calls.submit(Item("ab"[number % 2], number), outcomes.append)
    while len(outcomes) < 9:
        await asyncio.sleep(0)

    assert all(isinstance(outcome, Withdrawn) for outcome in outcomes)
    assert called == []


async def test_an_item_that_has_killed_processes_fails_without_a_call() -> None:
    called: list[Item] = []

    async def handle(item: Item) -> int:
        called.append(item)
        return item.number

    ours, killer, other = Ours(), Item("a", 1), Item("a", 2)
    ours.killers.add(killer)
    calls = KeyedCalls(handle, lambda item: item.key, POLICY, asyncio.get_running_loop(), ours)
    outcomes: list[Outcome[Item, int]] = []
    for item in (killer, other):
        calls.submit(item, outcomes.append)
    while len(outcomes) < 2:
        await asyncio.sleep(0)

    first, second = outcomes
    assert isinstance(first, Failed)
    assert (first.item, first.error.args, first.attempts) == (killer, ("it died",), 5)
    assert isinstance(second, Done)
    assert called == [other]


async def test_items_are_called_one_at_a_time_if_the_admission_says_so() -> None:
    running, most = 0, 0

    async def handle(item: Item) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        if item.number == 4:
            ours.one_at_a_time = False
        return item.number

    ours = Ours()
    ours.one_at_a_time = True
    calls = KeyedCalls(handle, lambda item: item.key, POLICY, asyncio.get_running_loop(), ours)
    outcomes: list[Outcome[Item, int]] = []
    at_four = 0

    def report(outcome: Outcome[Item, int]) -> None:
        nonlocal at_four
        outcomes.append(outcome)
        if len(outcomes) == 4:
            at_four = most

    for number in range(12):
        calls.submit(Item("abcdefghijkl"[number], number), report)
    while len(outcomes) < 12:
        await asyncio.sleep(0)
    assert (at_four, most) == (1, POLICY.window)


async def test_the_oldest_call_is_known_with_its_retries() -> None:
    ends = asyncio.Event()

    async def handle(item: Item) -> int:
        if item.number == 1 and not ends.is_set():
            ends.set()
            raise Unavailable("store is away")
        return item.number

    policy = CallPolicy(4, 5.0, 3, 0.001, 0.001)
    calls = KeyedCalls(handle, lambda item: item.key, policy, asyncio.get_running_loop())
    outcomes: list[Outcome[Item, int]] = []
    assert calls.oldest_seconds == 0
    calls.submit(Item("a", 1), outcomes.append)
    await ends.wait()
    assert calls.oldest_seconds > 0
    while not outcomes:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert calls.oldest_seconds == 0
