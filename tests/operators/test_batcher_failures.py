"""MicroBatcher: which caller gets which exception, and cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from operators.batcher import MicroBatcher
from schemas.errors import ImageRefused, Misconfigured, Unavailable
from tests.operators.batches import HOUR_MS, Doubler, run_ready_tasks
from tests.virtual_time import in_virtual_time


@in_virtual_time
async def test_an_exception_for_one_item_reaches_only_its_caller() -> None:
    batcher = MicroBatcher(Doubler(bad=frozenset({2})), max_size=3, max_wait_ms=HOUR_MS)

    results = await asyncio.gather(*(batcher.submit(n) for n in (1, 2, 3)), return_exceptions=True)

    assert results[0] == 2
    assert isinstance(results[1], ImageRefused)
    assert results[2] == 6


@in_virtual_time
async def test_when_a_batch_raises_only_the_bad_item_fails() -> None:
    calls: list[list[int]] = []

    async def invert(items: Sequence[int]) -> list[float | Exception]:
        calls.append(list(items))
        return [1 / item for item in items]

    batcher = MicroBatcher(invert, max_size=3, max_wait_ms=HOUR_MS)

    results = await asyncio.gather(*(batcher.submit(n) for n in (1, 0, 4)), return_exceptions=True)

    assert results[0] == 1
    assert isinstance(results[1], ZeroDivisionError)
    assert results[2] == 0.25
    assert calls == [[1, 0, 4], [1], [0], [4]]


@in_virtual_time
async def test_items_of_cancelled_callers_are_not_retried() -> None:
    calls: list[list[int]] = []
    started, go_on = asyncio.Event(), asyncio.Event()

    async def invert(items: Sequence[int]) -> list[float | Exception]:
        calls.append(list(items))
        started.set()
        await go_on.wait()
        return [1 / item for item in items]

    batcher = MicroBatcher(invert, max_size=2, max_wait_ms=HOUR_MS)
    tasks = [asyncio.create_task(batcher.submit(n)) for n in (0, 2)]
    await started.wait()

    tasks[0].cancel()
    await run_ready_tasks()
    go_on.set()

    assert await tasks[1] == 0.5
    assert calls == [[0, 2], [2]]


@pytest.mark.parametrize("error", [Unavailable("store is away"), Misconfigured("no such model")])
@in_virtual_time
async def test_errors_of_the_part_go_to_all_callers_without_a_retry(error: Exception) -> None:
    calls = 0

    async def fail(items: Sequence[int]) -> list[int | Exception]:
        nonlocal calls
        calls += 1
        raise error

    batcher = MicroBatcher(fail, max_size=2, max_wait_ms=HOUR_MS)

    results = await asyncio.gather(*(batcher.submit(n) for n in (1, 2)), return_exceptions=True)

    assert list(results) == [error, error]
    assert calls == 1


@in_virtual_time
async def test_a_caller_cancelled_before_its_batch_removes_its_item() -> None:
    doubler = Doubler()
    batcher = MicroBatcher(doubler, max_size=100, max_wait_ms=HOUR_MS)
    tasks = [asyncio.create_task(batcher.submit(n)) for n in (1, 2, 3)]
    await run_ready_tasks()

    tasks[1].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)

    assert results[0] == 2
    assert isinstance(results[1], asyncio.CancelledError)
    assert results[2] == 6
    assert doubler.batches == [[1, 3]]


@in_virtual_time
async def test_a_batch_without_callers_is_not_processed() -> None:
    doubler = Doubler()
    batcher = MicroBatcher(doubler, max_size=100, max_wait_ms=1000)
    task = asyncio.create_task(batcher.submit(1))
    await run_ready_tasks()

    task.cancel()
    await asyncio.sleep(2)

    assert doubler.batches == []


@in_virtual_time
async def test_a_caller_cancelled_during_its_batch_does_not_affect_the_others() -> None:
    doubler = Doubler(gated=True)
    batcher = MicroBatcher(doubler, max_size=2, max_wait_ms=HOUR_MS)
    tasks = [asyncio.create_task(batcher.submit(n)) for n in (1, 2)]
    await doubler.started.wait()

    tasks[0].cancel()
    await run_ready_tasks()
    doubler.go_on.set()

    assert await tasks[1] == 4
    assert list(await asyncio.gather(batcher.submit(5), batcher.submit(6))) == [10, 12]


@in_virtual_time
async def test_a_cancellation_inside_the_batch_call_is_an_error_for_its_callers() -> None:
    async def cancelled(items: Sequence[int]) -> list[int | Exception]:
        raise asyncio.CancelledError

    batcher = MicroBatcher(cancelled, max_size=1, max_wait_ms=0)

    with pytest.raises(RuntimeError, match="cancelled from within"):
        await batcher.submit(1)


@in_virtual_time
async def test_results_of_the_wrong_number_are_never_assigned() -> None:
    async def forgetful(items: Sequence[int]) -> list[int | Exception]:
        return [1]

    batcher = MicroBatcher(forgetful, max_size=2, max_wait_ms=HOUR_MS)

    # The batch of two is rejected; retried alone, each item gets its one result.
    assert list(await asyncio.gather(batcher.submit(1), batcher.submit(2))) == [1, 1]


@in_virtual_time
async def test_a_single_item_without_a_result_fails() -> None:
    async def empty(items: Sequence[int]) -> list[int | Exception]:
        return []

    with pytest.raises(RuntimeError, match="1 items gave 0 results"):
        await MicroBatcher(empty, max_size=1, max_wait_ms=0).submit(1)


@in_virtual_time
async def test_an_observer_that_fails_fails_the_calls() -> None:
    def fail(size: int, waited_seconds: float) -> None:
        raise ZeroDivisionError("a bug in the metrics")

    batcher = MicroBatcher(Doubler(), max_size=2, max_wait_ms=HOUR_MS, observe=fail)

    results = await asyncio.gather(batcher.submit(1), batcher.submit(2), return_exceptions=True)

    assert [type(result) for result in results] == [ZeroDivisionError] * 2


@in_virtual_time
async def test_callers_are_cancelled_when_the_loop_shuts_down() -> None:
    """Shutting down cancels every task, the batcher's among them."""
    doubler = Doubler(gated=True)
    batcher = MicroBatcher(doubler, max_size=1, max_wait_ms=0)
    callers = [asyncio.create_task(batcher.submit(n)) for n in (1, 2)]
    await doubler.started.wait()

    (worker,) = asyncio.all_tasks() - {*callers, asyncio.current_task()}
    worker.cancel()

    results = await asyncio.gather(*callers, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
