# ruff: noqa: ASYNC110  calls that hang until a test lets them go
"""The lane inside the engine: latency, back-pressure, recovery, draining, stopping."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.inputs import AbortExecution, FixedPartitionedSource, StatefulSourcePartition
from bytewax.recovery import RecoveryConfig
from bytewax.testing import TestingSink, run_main

from operators.streaming.engine.gate import Gate
from operators.streaming.engine.keyed_calls import CallPolicy, Done, Failed, KeyedCalls
from operators.streaming.engine.lane import LaneRuntime, lane
from operators.streaming.engine.loop_thread import LoopThread
from operators.streaming.engine.recovery import open_store
from schemas.errors import ImageRefused, Misconfigured, Unavailable

Numbered = tuple[str, int]
"""Key and number."""


class GatedNumbers(FixedPartitionedSource[tuple[str, Numbered], int]):
    """Emits ``items`` as the gate allows; aborts, some epochs later, before item ``abort_at``."""

    def __init__(self, items: list[Numbered], runtime: LaneRuntime, abort_at: int | None = None):
        self.items = items
        self.runtime = runtime
        self.abort_at = abort_at

    def list_parts(self) -> list[str]:
        return ["0"]

    def build_part(
        self, step_id: str, for_part: str, resume_state: int | None
    ) -> StatefulSourcePartition[tuple[str, Numbered], int]:
        return _Numbers(self, resume_state or 0)


class _Numbers(StatefulSourcePartition[tuple[str, Numbered], int]):
    def __init__(self, source: GatedNumbers, at: int) -> None:
        self._source = source
        self._at = at
        self._started = time.monotonic()

    def next_batch(self) -> list[tuple[str, Numbered]]:
        source = self._source
        if source.runtime.stop.is_set() or self._at >= len(source.items):
            raise StopIteration
        if self._at == source.abort_at:
            if time.monotonic() < self._started + 0.15:
                return []  # some epochs end first
            raise AbortExecution
        room = min(1, source.runtime.gate.room)
        batch = source.items[self._at : self._at + room]
        source.runtime.gate.enter(len(batch))
        self._at += len(batch)
        return [("lane", item) for item in batch]

    def snapshot(self) -> int:
        return self._at


@contextmanager
def lane_runtime(capacity: int = 100) -> Iterator[LaneRuntime]:
    with LoopThread() as thread:
        yield LaneRuntime(thread, Gate(capacity), threading.Event())


def run_lane(
    items: list[Numbered],
    handle: Callable[[Numbered], Awaitable[int]],
    runtime: LaneRuntime,
    *,
    recovery: Path | None = None,
    abort_at: int | None = None,
    window: int = 16,
) -> list[Done[Numbered, int] | Failed[Numbered]]:
    """What the lane emits in one execution of the engine."""
    emitted: list[Any] = []
    flow = Dataflow("numbers")
    numbers = op.input("numbers", flow, GatedNumbers(items, runtime, abort_at))
    policy = CallPolicy(window, 5.0, 3, 0.01)
    calls = KeyedCalls(handle, lambda item: item[0], policy, runtime.thread.loop)
    op.output("emitted", lane("lane", numbers, calls, runtime), TestingSink(emitted))
    run_main(  # type: ignore[no-untyped-call]
        flow,
        epoch_interval=timedelta(milliseconds=20),
        recovery_config=RecoveryConfig(recovery) if recovery else None,  # type: ignore[no-untyped-call]
    )
    return [outcome for _, outcome in emitted]


ITEMS = [(f"k{n % 7}", n) for n in range(200)]


def test_every_item_comes_out_and_each_key_in_order() -> None:
    async def handle(item: Numbered) -> int:
        await asyncio.sleep((item[1] * 7919 % 5) / 1000)
        if item[1] % 10 == 3:
            raise ImageRefused("as asked")
        return item[1]

    with lane_runtime() as runtime:
        outcomes = run_lane(ITEMS, handle, runtime)

    for key in {key for key, _ in ITEMS}:
        assert [o.item for o in outcomes if o.item[0] == key] == [i for i in ITEMS if i[0] == key]
    assert {o.item[1] for o in outcomes if isinstance(o, Failed)} == set(range(3, 200, 10))
    assert runtime.gate.inside == 0


def test_the_source_is_held_back_while_calls_hang() -> None:
    release, begun = threading.Event(), []
    most_inside = 0

    async def handle(item: Numbered) -> int:
        nonlocal most_inside
        begun.append(item)
        while not release.is_set():
            await asyncio.sleep(0.001)
        most_inside = max(most_inside, runtime.gate.inside)
        return item[1]

    with lane_runtime(capacity=5) as runtime:
        timer = threading.Timer(0.2, release.set)
        timer.start()
        outcomes = run_lane([(str(n), n) for n in range(30)], handle, runtime, window=3)

    assert len(outcomes) == 30
    assert most_inside <= 5
    assert begun[:3] == [("0", 0), ("1", 1), ("2", 2)]


def test_inputs_in_flight_at_a_crash_are_called_again(tmp_path: Path) -> None:
    open_store(tmp_path / "store")
    hang = True

    async def handle(item: Numbered) -> int:
        while hang and item[1] >= 10:
            await asyncio.sleep(0.001)
        return item[1]

    items = [(str(n), n) for n in range(30)]
    with lane_runtime() as runtime:
        first = run_lane(items, handle, runtime, recovery=tmp_path / "store", abort_at=25)
        hang = False
    with lane_runtime() as runtime:
        second = run_lane(items, handle, runtime, recovery=tmp_path / "store")

    assert {o.item[1] for o in first} == set(range(10))
    assert [o.item[1] for o in second] == list(range(10, 30)), "from the lane's snapshot"
    assert runtime.gate.inside == 0


def test_stop_during_an_outage_ends_at_once_and_keeps_what_waits(tmp_path: Path) -> None:
    open_store(tmp_path / "store")
    away = True

    async def handle(item: Numbered) -> int:
        if away and item[1] % 2:
            raise Unavailable("store is away")
        return item[1]

    items = [(str(n), n) for n in range(10)]
    with lane_runtime() as runtime:
        threading.Timer(0.3, runtime.stop.set).start()
        before = run_lane(items, handle, runtime, recovery=tmp_path / "store")
    away = False
    with lane_runtime() as runtime:
        after = run_lane(items, handle, runtime, recovery=tmp_path / "store")

    assert sorted(o.item[1] for o in before) == [0, 2, 4, 6, 8]
    assert sorted(o.item[1] for o in after) == [1, 3, 5, 7, 9]


def test_stop_ends_what_has_begun_and_keeps_what_has_not(tmp_path: Path) -> None:
    open_store(tmp_path / "store")

    async def handle(item: Numbered) -> int:
        await asyncio.sleep(0.2)
        return item[1]

    items = [(str(n), n) for n in range(12)]
    with lane_runtime() as runtime:
        threading.Timer(0.1, runtime.stop.set).start()
        before = run_lane(items, handle, runtime, recovery=tmp_path / "store", window=4)
    with lane_runtime() as runtime:
        after = run_lane(items, handle, runtime, recovery=tmp_path / "store", window=12)

    assert [o.item[1] for o in before] == [0, 1, 2, 3]
    assert [o.item[1] for o in after] == list(range(4, 12))


def test_misconfigured_stops_the_flow_with_its_message() -> None:
    async def handle(item: Numbered) -> int:
        raise Misconfigured("set index.path")

    with lane_runtime() as runtime, pytest.raises(BaseException) as raised:
        run_lane(ITEMS, handle, runtime)

    causes: list[BaseException] = [raised.value]
    while (cause := causes[-1].__cause__) is not None:
        causes.append(cause)
    assert any(isinstance(cause, Misconfigured) for cause in causes)
