# ruff: noqa: ASYNC110  outcomes are reported by callback: waiting for them is polling
"""KeyedCalls: deadlines, and what each error means."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from operators.served_calls import ServedCalls
from operators.streaming.engine.call_policy import CallPolicy
from operators.streaming.engine.keyed_calls import KeyedCalls
from operators.streaming.engine.outcomes import Done, Failed, Outcome
from schemas.errors import (
    DeadlineExceeded,
    ImageRefused,
    IndexMismatch,
    LookSyncError,
    Misconfigured,
    PictureUnavailable,
    Unavailable,
)
from tests.streaming.calls import POLICY, Item, outcomes_of


async def test_a_late_call_is_failed_with_deadline_exceeded() -> None:
    async def hang(item: Item) -> int:
        await asyncio.Event().wait()
        return 0

    (failed,) = await outcomes_of(hang, [Item("a", 1)], CallPolicy(1, 0.02, 3))

    assert isinstance(failed, Failed)
    assert isinstance(failed.error, DeadlineExceeded)


async def test_a_late_call_that_loses_its_cancellation_is_cancelled_again() -> None:
    async def hang(item: Item) -> int:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()
        return 0

    async with asyncio.timeout(10):
        (failed,) = await outcomes_of(hang, [Item("a", 1)], CallPolicy(1, 0.02, 3))

    assert isinstance(failed, Failed)
    assert isinstance(failed.error, DeadlineExceeded)


async def test_the_calls_after_a_late_one_are_judged_by_themselves() -> None:
    """The same runner makes all: the first call's cancellation must not affect it."""

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


async def test_a_timeout_inside_the_call_is_not_its_deadline() -> None:
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


@pytest.mark.parametrize(("asked", "attempts"), [(0.001, 3), (60.0, 1)])
async def test_a_picture_is_given_up_when_its_host_asks_for_longer_than_the_attempts_take(
    asked: float, attempts: int
) -> None:
    async def handle(item: Item) -> int:
        raise PictureUnavailable("host is down", retry_after_seconds=asked)

    [failed] = await outcomes_of(handle, [Item("a", 1)])
    assert isinstance(failed, Failed)
    assert failed.attempts == attempts


async def test_an_outage_fills_the_window_and_starts_nothing_else() -> None:
    away, begun = True, set()

    async def handle(item: Item) -> int:
        begun.add(item.number)
        if away:
            raise Unavailable("store is away")
        return item.number

    calls = KeyedCalls(handle, lambda item: item.key, POLICY, asyncio.get_running_loop())
    outcomes: list[Outcome[Item, int]] = []
    for number in range(10):
        calls.submit(Item(str(number), number), outcomes.append)
    assert not calls.idle
    await asyncio.sleep(0.05)

    assert outcomes == []
    assert begun == {0, 1, 2, 3}, "the window is 4"

    away = False
    while len(outcomes) < 10:
        await asyncio.sleep(0.001)
    assert all(isinstance(outcome, Done) for outcome in outcomes)


@pytest.mark.parametrize("error", [Unavailable("503"), Misconfigured("403: set the key")])
async def test_an_item_that_fails_while_others_are_answered_is_given_up(
    error: LookSyncError,
) -> None:
    server, answered = ServedCalls(), asyncio.Event()
    answered.set()

    async def handle(item: Item) -> int:
        if item.key == "bad":
            await answered.wait()
            answered.clear()
        with server.call("read"):
            if item.key == "bad":
                raise error
            answered.set()
            return item.number

    policy = CallPolicy(2, 5.0, 3, 0.0001, 0.0002, attempts_alone=4)
    calls = KeyedCalls(handle, lambda item: item.key, policy, asyncio.get_running_loop())
    outcomes: list[Outcome[Item, int]] = []
    calls.submit(Item("bad", 1), outcomes.append)
    while not any(isinstance(outcome, Failed) for outcome in outcomes):
        calls.submit(Item("good", 2), outcomes.append)
        await asyncio.sleep(0.001)

    (failed,) = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    assert str(failed.error) == str(error)
    assert failed.attempts == 5, "the first one says nothing, four follow answers to others"


@pytest.mark.parametrize("others", ["read", "nothing"])
async def test_an_item_waits_while_its_kind_of_call_fails_for_all(others: str) -> None:
    """On a full disk reads are answered: they do not make a write the item's own fault."""
    server, attempts, away = ServedCalls(), 0, True

    async def handle(item: Item) -> int:
        nonlocal attempts
        if others == "read":
            server.count("read")
        attempts += 1
        with server.call("write"):
            if away:
                raise Unavailable("the disk is full")
            return item.number

    policy = CallPolicy(4, 5.0, 3, 0.0001, 0.0002, attempts_alone=2)
    calls = KeyedCalls(handle, lambda item: item.key, policy, asyncio.get_running_loop())
    outcomes: list[Outcome[Item, int]] = []
    for number in range(4):
        calls.submit(Item(str(number), number), outcomes.append)
    while attempts < 40:
        await asyncio.sleep(0)
    assert outcomes == []

    away = False
    while len(outcomes) < 4:
        await asyncio.sleep(0)
    assert all(isinstance(outcome, Done) for outcome in outcomes)


async def test_idle_with_an_outage_but_not_with_slow_calls() -> None:
    slow = asyncio.Event()

    async def handle(item: Item) -> int:
        if item.key == "slow":
            await slow.wait()
            return item.number
        raise Unavailable("store is away")

    policy = CallPolicy(4, 5.0, 3, 60.0, 60.0)
    calls = KeyedCalls(handle, lambda item: item.key, policy, asyncio.get_running_loop())
    outcomes: list[Outcome[Item, int]] = []
    calls.submit(Item("slow", 1), outcomes.append)
    calls.submit(Item("waits", 2), outcomes.append)
    await asyncio.sleep(0.01)
    assert not calls.idle

    slow.set()
    await asyncio.sleep(0.01)
    assert calls.idle


async def test_a_wait_lasts_from_the_first_failed_attempt() -> None:
    """Retries update its reason, not its start; another service's outage is another wait."""
    seen = []

    async def handle(item: Item) -> int:
        seen.extend(calls.waits)
        if len(seen) == 4:
            return item.number
        service = "redis" if len(seen) < 3 else "index"
        raise Unavailable(f"attempt {len(seen)}", reason=service)

    calls = KeyedCalls(handle, lambda item: item.key, POLICY, asyncio.get_running_loop())
    outcomes: list[Outcome[Item, int]] = []
    calls.submit(Item("a", 1), outcomes.append)
    while not outcomes:
        await asyncio.sleep(0)

    assert [(wait.part, wait.why) for wait in seen] == [
        ("redis", "attempt 0"),
        ("redis", "attempt 1"),
        ("redis", "attempt 2"),
        ("index", "attempt 3"),
    ]
    assert len({wait.since for wait in seen[:3]}) == 1
    assert seen[3].since > seen[0].since
    assert calls.waits == []
