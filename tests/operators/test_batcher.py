"""MicroBatcher: size or wait, order, and whose exception is whose."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.batcher import MicroBatcher
from schemas.errors import ImageRefused, Misconfigured, Unavailable

LONG_MS = 60_000.0


class Doubler:
    """Doubles numbers; ``bad`` ones get an exception of their own. Records its batches."""

    def __init__(self, bad: frozenset[int] = frozenset(), seconds: float = 0.0) -> None:
        self.batches: list[list[int]] = []
        self._bad = bad
        self._seconds = seconds

    async def __call__(self, items: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(items))
        await asyncio.sleep(self._seconds)
        return [ImageRefused(f"bad {item}") if item in self._bad else 2 * item for item in items]


async def test_a_full_batch_does_not_wait() -> None:
    doubler = Doubler()
    batcher = MicroBatcher(doubler, max_size=3, max_wait_ms=LONG_MS)

    results = await asyncio.gather(*(batcher.submit(n) for n in (1, 2, 3)))

    assert list(results) == [2, 4, 6]
    assert doubler.batches == [[1, 2, 3]]


async def test_a_lonely_item_waits_no_longer_than_told() -> None:
    batcher = MicroBatcher(Doubler(), max_size=100, max_wait_ms=20)
    started = asyncio.get_running_loop().time()

    assert await batcher.submit(4) == 8

    assert 0.015 < asyncio.get_running_loop().time() - started < 0.5


async def test_what_arrives_during_a_batch_is_the_next_one_in_order() -> None:
    doubler = Doubler(seconds=0.02)
    batcher = MicroBatcher(doubler, max_size=2, max_wait_ms=0)

    first = asyncio.create_task(batcher.submit(1))
    await asyncio.sleep(0.005)
    await asyncio.gather(*(batcher.submit(n) for n in (2, 3, 4)), first)

    assert doubler.batches == [[1], [2, 3], [4]]


async def test_an_item_exception_is_its_callers_only() -> None:
    batcher = MicroBatcher(Doubler(bad=frozenset({2})), max_size=3, max_wait_ms=LONG_MS)

    results = await asyncio.gather(*(batcher.submit(n) for n in (1, 2, 3)), return_exceptions=True)

    assert results[0] == 2
    assert isinstance(results[1], ImageRefused)
    assert results[2] == 6


async def test_when_the_batch_raises_only_the_bad_item_fails() -> None:
    calls: list[list[int]] = []

    async def invert(items: Sequence[int]) -> list[float | Exception]:
        calls.append(list(items))
        return [1 / item for item in items]

    batcher = MicroBatcher(invert, max_size=3, max_wait_ms=LONG_MS)

    results = await asyncio.gather(*(batcher.submit(n) for n in (1, 0, 4)), return_exceptions=True)

    assert results[0] == 1
    assert isinstance(results[1], ZeroDivisionError)
    assert results[2] == 0.25
    assert calls == [[1, 0, 4], [1], [0], [4]]


@pytest.mark.parametrize("error", [Unavailable("store is away"), Misconfigured("no such model")])
async def test_errors_of_the_part_go_to_all_without_a_second_try(error: Exception) -> None:
    calls = 0

    async def away(items: Sequence[int]) -> list[int | Exception]:
        nonlocal calls
        calls += 1
        raise error

    batcher = MicroBatcher(away, max_size=2, max_wait_ms=LONG_MS)

    results = await asyncio.gather(*(batcher.submit(n) for n in (1, 2)), return_exceptions=True)

    assert list(results) == [error, error]
    assert calls == 1


async def test_a_caller_cancelled_while_waiting_takes_its_item_along() -> None:
    doubler = Doubler()
    batcher = MicroBatcher(doubler, max_size=100, max_wait_ms=30)
    tasks = [asyncio.create_task(batcher.submit(n)) for n in (1, 2, 3)]
    await asyncio.sleep(0.005)

    tasks[1].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)

    assert results[0] == 2
    assert isinstance(results[1], asyncio.CancelledError)
    assert results[2] == 6
    assert doubler.batches == [[1, 3]]


async def test_a_caller_cancelled_during_its_batch_hurts_nobody() -> None:
    batcher = MicroBatcher(Doubler(seconds=0.02), max_size=2, max_wait_ms=LONG_MS)
    tasks = [asyncio.create_task(batcher.submit(n)) for n in (1, 2)]
    await asyncio.sleep(0.005)

    tasks[0].cancel()

    assert await tasks[1] == 4
    assert await batcher_still_works(batcher)


async def batcher_still_works(batcher: MicroBatcher[int, int]) -> bool:
    return list(await asyncio.gather(batcher.submit(5), batcher.submit(6))) == [10, 12]


async def test_a_cancellation_inside_the_batch_is_no_cancellation_of_its_callers() -> None:
    async def cancelled(items: Sequence[int]) -> list[int | Exception]:
        raise asyncio.CancelledError

    batcher = MicroBatcher(cancelled, max_size=1, max_wait_ms=0)

    with pytest.raises(RuntimeError, match="cancelled from within"):
        await batcher.submit(1)


async def test_a_wrong_number_of_results_is_an_error_not_a_mix_up() -> None:
    async def forgetful(items: Sequence[int]) -> list[int | Exception]:
        return [1]

    batcher = MicroBatcher(forgetful, max_size=2, max_wait_ms=LONG_MS)

    # Alone each gets its one result: the batch is what was wrong.
    assert list(await asyncio.gather(batcher.submit(1), batcher.submit(2))) == [1, 1]


async def test_close_answers_what_was_asked_and_refuses_the_rest() -> None:
    batcher = MicroBatcher(Doubler(), max_size=100, max_wait_ms=LONG_MS)
    tasks = [asyncio.create_task(batcher.submit(n)) for n in (1, 2)]
    await asyncio.sleep(0)

    await batcher.close()

    assert [await task for task in tasks] == [2, 4]
    with pytest.raises(RuntimeError, match="closed"):
        await batcher.submit(3)


async def test_batches_are_observed_and_see_no_callers_context() -> None:
    observed: list[tuple[int, float]] = []
    bound = contextvars.ContextVar("bound", default="nothing")
    seen: list[str] = []

    async def look(items: Sequence[int]) -> list[int | Exception]:
        seen.append(bound.get())
        return list(items)

    bound.set("the first caller's look_id")
    batcher = MicroBatcher(
        look,
        max_size=2,
        max_wait_ms=20,
        observe=lambda size, seconds: observed.append((size, seconds)),
    )
    await asyncio.gather(*(batcher.submit(n) for n in (1, 2, 3)))

    assert [size for size, _ in observed] == [2, 1]
    assert all(0 <= seconds < 0.5 for _, seconds in observed)
    assert seen == ["nothing", "nothing"]


async def test_an_observer_that_fails_does_not_leave_callers_waiting() -> None:
    def fail(size: int, waited_seconds: float) -> None:
        raise ZeroDivisionError("a bug in the metrics")

    batcher = MicroBatcher(Doubler(), max_size=2, max_wait_ms=LONG_MS, observe=fail)

    async with asyncio.timeout(1):
        results = await asyncio.gather(batcher.submit(1), batcher.submit(2), return_exceptions=True)

    assert [type(result) for result in results] == [ZeroDivisionError] * 2


async def test_callers_are_let_go_when_the_loop_shuts_down() -> None:
    batcher = MicroBatcher(Doubler(seconds=60), max_size=1, max_wait_ms=0)
    callers = [asyncio.create_task(batcher.submit(n)) for n in (1, 2)]
    await asyncio.sleep(0.01)

    (server,) = asyncio.all_tasks() - {*callers, asyncio.current_task()}
    server.cancel()

    results = await asyncio.gather(*callers, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)


@settings(max_examples=60, deadline=None)
@given(
    arrivals=st.lists(
        st.tuples(st.integers(0, 3), st.booleans(), st.booleans()), min_size=1, max_size=40
    ),
    max_size=st.integers(1, 8),
)
def test_every_caller_gets_its_own_answer_whatever_happens_around_it(
    arrivals: list[tuple[int, bool, bool]], max_size: int
) -> None:
    """Arrivals with random pauses, bad items and cancelled callers."""

    async def scenario() -> None:
        doubler = Doubler(bad=frozenset(n for n, (_, bad, _) in enumerate(arrivals) if bad))
        batcher = MicroBatcher(doubler, max_size=max_size, max_wait_ms=1)
        tasks = []
        for number, (pause, _, cancel) in enumerate(arrivals):
            tasks.append(asyncio.create_task(batcher.submit(number)))
            for _ in range(pause):
                await asyncio.sleep(0)
            if cancel:
                tasks[-1].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)

        for number, ((_, bad, cancel), result) in enumerate(zip(arrivals, results, strict=True)):
            if isinstance(result, asyncio.CancelledError):
                assert cancel
            elif bad:
                assert str(result) == f"bad {number}"
            else:
                assert result == 2 * number
        computed = [n for batch in doubler.batches for n in batch]
        assert computed == sorted(computed), "first come, first served"
        assert len(computed) == len(set(computed)), "nothing is computed twice"
        assert all(len(batch) <= max_size for batch in doubler.batches)

    asyncio.run(scenario())
