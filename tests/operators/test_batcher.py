"""MicroBatcher: batch size, waiting time and order."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.batcher import MicroBatcher
from tests.operators.batches import HOUR_MS, Doubler, now, run_ready_tasks
from tests.virtual_time import in_virtual_time


@in_virtual_time
async def test_a_full_batch_is_processed_at_once() -> None:
    doubler = Doubler()
    batcher = MicroBatcher(doubler, max_size=3, max_wait_ms=HOUR_MS)

    started = now()
    results = await asyncio.gather(*(batcher.submit(n) for n in (1, 2, 3)))

    assert list(results) == [2, 4, 6]
    assert doubler.batches == [[1, 2, 3]]
    assert now() == started


@in_virtual_time
async def test_a_batch_that_fills_up_while_it_waits_is_processed_at_once() -> None:
    doubler = Doubler()
    batcher = MicroBatcher(doubler, max_size=2, max_wait_ms=HOUR_MS)

    started = now()
    first = asyncio.create_task(batcher.submit(1))
    await asyncio.sleep(60)
    await asyncio.gather(first, batcher.submit(2))

    assert doubler.batches == [[1, 2]]
    assert now() == started + 60


@pytest.mark.parametrize("max_wait_ms", [0.0, 20.0, HOUR_MS])
@in_virtual_time
async def test_a_single_item_waits_exactly_the_maximum(max_wait_ms: float) -> None:
    batcher = MicroBatcher(Doubler(), max_size=100, max_wait_ms=max_wait_ms)

    started = now()
    assert await batcher.submit(4) == 8

    assert now() - started == pytest.approx(max_wait_ms / 1000)


@in_virtual_time
async def test_the_maximum_counts_from_the_first_item_of_a_batch() -> None:
    doubler = Doubler()
    batcher = MicroBatcher(doubler, max_size=100, max_wait_ms=1000)

    started = now()
    first = asyncio.create_task(batcher.submit(1))
    await asyncio.sleep(0.75)
    await asyncio.gather(first, batcher.submit(2))

    assert doubler.batches == [[1, 2]]
    assert now() - started == pytest.approx(1.0)


@in_virtual_time
async def test_time_spent_behind_another_batch_counts() -> None:
    doubler = Doubler(gated=True)
    batcher = MicroBatcher(doubler, max_size=2, max_wait_ms=1000)
    first = asyncio.gather(batcher.submit(1), batcher.submit(2))
    await doubler.started.wait()

    started = now()
    late = asyncio.create_task(batcher.submit(3))
    await asyncio.sleep(5)
    doubler.go_on.set()
    await asyncio.gather(first, late)

    assert doubler.batches == [[1, 2], [3]]
    assert now() == started + 5


@in_virtual_time
async def test_calls_during_a_batch_form_the_next_ones_in_order() -> None:
    doubler = Doubler(gated=True)
    batcher = MicroBatcher(doubler, max_size=2, max_wait_ms=0)

    first = asyncio.create_task(batcher.submit(1))
    await doubler.started.wait()
    later = asyncio.gather(*(batcher.submit(n) for n in (2, 3, 4)))
    await run_ready_tasks()
    assert doubler.batches == [[1]], "one batch at a time"
    doubler.go_on.set()
    await asyncio.gather(first, later)

    assert doubler.batches == [[1], [2, 3], [4]]


@in_virtual_time
async def test_a_batcher_that_was_idle_starts_again() -> None:
    batcher = MicroBatcher(Doubler(), max_size=1, max_wait_ms=0)

    assert await batcher.submit(1) == 2
    await run_ready_tasks()
    assert await batcher.submit(2) == 4


@pytest.mark.parametrize(("max_size", "max_wait_ms"), [(0, 1.0), (1, -0.001)])
def test_a_size_or_a_wait_that_is_impossible_is_rejected(max_size: int, max_wait_ms: float) -> None:
    with pytest.raises(ValueError, match="max_size"):
        MicroBatcher(Doubler(), max_size=max_size, max_wait_ms=max_wait_ms)


@in_virtual_time
async def test_close_finishes_pending_calls_at_once_and_rejects_new_ones() -> None:
    doubler = Doubler()
    batcher = MicroBatcher(doubler, max_size=100, max_wait_ms=HOUR_MS)
    tasks = [asyncio.create_task(batcher.submit(n)) for n in (1, 2)]
    await run_ready_tasks()

    started = now()
    await batcher.close()

    assert doubler.batches == [[1, 2]]

    assert [await task for task in tasks] == [2, 4]
    assert now() == started
    with pytest.raises(RuntimeError, match="closed"):
        await batcher.submit(3)


@in_virtual_time
async def test_an_unused_batcher_can_be_closed() -> None:
    await MicroBatcher(Doubler(), max_size=1, max_wait_ms=0).close()


@in_virtual_time
async def test_close_does_not_wait_for_later_batches_to_fill() -> None:
    doubler = Doubler(gated=True)
    batcher = MicroBatcher(doubler, max_size=2, max_wait_ms=HOUR_MS)
    tasks = [asyncio.create_task(batcher.submit(n)) for n in (1, 2, 3)]
    await doubler.started.wait()

    started = now()
    closing = asyncio.create_task(batcher.close())
    await run_ready_tasks()
    doubler.go_on.set()
    await closing

    assert [await task for task in tasks] == [2, 4, 6]
    assert now() == started


@in_virtual_time
async def test_the_observer_gets_each_batch_and_the_wait_of_its_first_item() -> None:
    observed: list[tuple[int, float]] = []
    batcher = MicroBatcher(
        Doubler(),
        max_size=2,
        max_wait_ms=20,
        observe=lambda size, seconds: observed.append((size, seconds)),
    )
    first = asyncio.create_task(batcher.submit(1))
    await asyncio.sleep(0.005)
    await asyncio.gather(first, batcher.submit(2), batcher.submit(3))

    assert [size for size, _ in observed] == [2, 1]
    assert [seconds for _, seconds in observed] == pytest.approx([0.005, 0.020])


@in_virtual_time
async def test_a_batch_does_not_see_the_context_of_its_first_caller() -> None:
    bound = contextvars.ContextVar("bound", default="nothing")
    seen: list[str] = []

    async def read(items: Sequence[int]) -> list[int | Exception]:
        seen.append(bound.get())
        return list(items)

    bound.set("the first caller's look_id")
    await MicroBatcher(read, max_size=1, max_wait_ms=0).submit(1)

    assert seen == ["nothing"]


@settings(max_examples=60, deadline=None)
@given(
    arrivals=st.lists(
        st.tuples(st.integers(0, 3), st.booleans(), st.booleans()), min_size=1, max_size=40
    ),
    max_size=st.integers(1, 8),
)
def test_every_caller_gets_its_own_result(
    arrivals: list[tuple[int, bool, bool]], max_size: int
) -> None:
    """Arrivals with pauses, bad items and cancelled callers."""

    @in_virtual_time
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
        processed = [n for batch in doubler.batches for n in batch]
        assert processed == sorted(processed), "first in, first out"
        assert len(processed) == len(set(processed)), "nothing is processed twice"
        assert all(len(batch) <= max_size for batch in doubler.batches)

    scenario()
