# ruff: noqa: ASYNC110  the engine's thread changes what a call waits for
"""The lane inside the engine: order, back-pressure, recovery, draining, stopping."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.inputs import AbortExecution, FixedPartitionedSource, StatefulSourcePartition
from bytewax.recovery import RecoveryConfig
from bytewax.testing import TestingSink, run_main

from operators.streaming.engine.call_policy import CallPolicy
from operators.streaming.engine.gate import Gate
from operators.streaming.engine.keyed_calls import KeyedCalls
from operators.streaming.engine.lane import LaneRuntime, lane
from operators.streaming.engine.loop_thread import LoopThread
from operators.streaming.engine.outcomes import Done, Failed
from operators.streaming.engine.recovery import open_store
from schemas.errors import ImageRefused, IndexMismatch, Unavailable

Numbered = tuple[str, int]
"""Key and number."""

HOUR = 3600.0
"""No call is cut off at its deadline."""


@dataclass(frozen=True)
class Abort:
    """The engine aborts before item ``at`` is emitted."""

    at: int
    after: int
    """Outcomes that the lane emits before; they are in a completed epoch."""


class GatedNumbers(FixedPartitionedSource[tuple[str, Numbered], int]):
    """Emits ``items`` as the gate allows."""

    def __init__(
        self, items: list[Numbered], emitted: list[Any], runtime: LaneRuntime, abort: Abort | None
    ) -> None:
        self.items = items
        self.emitted = emitted
        self.runtime = runtime
        self.abort = abort

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
        self._epochs = 0
        """Completed since the abort was due."""

    def next_batch(self) -> list[tuple[str, Numbered]]:
        source = self._source
        if source.runtime.stop.is_set() or self._at >= len(source.items):
            raise StopIteration
        if source.abort is not None and self._at == source.abort.at:
            if self._epochs < 2:  # the first may have begun before the last outcome was emitted
                return []
            raise AbortExecution
        room = min(1, source.runtime.gate.room)
        batch = source.items[self._at : self._at + room]
        source.runtime.gate.enter(len(batch))
        self._at += len(batch)
        return [("lane", item) for item in batch]

    def snapshot(self) -> int:
        abort = self._source.abort
        if abort is not None and len(self._source.emitted) >= abort.after:
            self._epochs += 1
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
    abort: Abort | None = None,
    window: int = 16,
) -> list[Done[Numbered, int] | Failed[Numbered]]:
    """What the lane emits in one execution of the engine."""
    emitted: list[Any] = []
    flow = Dataflow("numbers")
    numbers = op.input("numbers", flow, GatedNumbers(items, emitted, runtime, abort))
    policy = CallPolicy(window, HOUR, 3, 0.01)
    calls = KeyedCalls(handle, lambda item: item[0], policy, runtime.thread.loop)
    op.output("emitted", lane("lane", numbers, calls, runtime), TestingSink(emitted))
    run_main(  # type: ignore[no-untyped-call]
        flow,
        epoch_interval=timedelta(milliseconds=20),
        recovery_config=RecoveryConfig(recovery) if recovery else None,  # type: ignore[no-untyped-call]
    )
    return [outcome for _, outcome in emitted]


async def until(reached: Callable[[], bool]) -> None:
    while not reached():
        await asyncio.sleep(0.001)


ITEMS = [(f"k{n % 7}", n) for n in range(200)]


def test_every_item_comes_out_and_each_key_in_order() -> None:
    async def handle(item: Numbered) -> int:
        for _ in range(item[1] * 7919 % 5):
            await asyncio.sleep(0)
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
    begun = []
    most_inside = 0
    full = False

    async def handle(item: Numbered) -> int:
        nonlocal most_inside, full
        begun.append(item)
        await until(lambda: full or runtime.gate.room == 0)
        full = True
        most_inside = max(most_inside, runtime.gate.inside)
        return item[1]

    with lane_runtime(capacity=5) as runtime:
        outcomes = run_lane([(str(n), n) for n in range(30)], handle, runtime, window=3)

    assert len(outcomes) == 30
    assert most_inside == 5
    assert begun[:3] == [("0", 0), ("1", 1), ("2", 2)]


def test_inputs_in_flight_at_a_crash_are_called_again(tmp_path: Path) -> None:
    open_store(tmp_path / "store")
    hang = True

    async def handle(item: Numbered) -> int:
        if hang and item[1] >= 10:
            await asyncio.Event().wait()
        return item[1]

    items = [(str(n), n) for n in range(30)]
    with lane_runtime() as runtime:
        abort = Abort(at=25, after=10)
        first = run_lane(items, handle, runtime, recovery=tmp_path / "store", abort=abort)
        hang = False
    with lane_runtime() as runtime:
        second = run_lane(items, handle, runtime, recovery=tmp_path / "store")

    assert {o.item[1] for o in first} == set(range(10))
    assert [o.item[1] for o in second] == list(range(10, 30)), "from the lane's snapshot"
    assert runtime.gate.inside == 0


def test_stop_during_an_outage_waits_for_no_recovery_and_keeps_what_waits(tmp_path: Path) -> None:
    open_store(tmp_path / "store")
    away = True
    begun = set()

    async def handle(item: Numbered) -> int:
        begun.add(item)
        if len(begun) == len(items):
            runtime.stop.set()
        if away and item[1] % 2:
            raise Unavailable("store is away")
        return item[1]

    items = [(str(n), n) for n in range(10)]
    with lane_runtime() as runtime:
        before = run_lane(items, handle, runtime, recovery=tmp_path / "store")
    away = False
    begun.clear()
    with lane_runtime() as runtime:
        after = run_lane(items, handle, runtime, recovery=tmp_path / "store")

    assert sorted(o.item[1] for o in before) == [0, 2, 4, 6, 8]
    assert sorted(o.item[1] for o in after) == [1, 3, 5, 7, 9]


def test_stop_ends_what_has_begun_and_keeps_what_has_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(tmp_path / "store")
    stopping = threading.Event()
    stop_starting = KeyedCalls.stop_starting

    def observed(calls: KeyedCalls[Any, Any]) -> None:
        stop_starting(calls)
        stopping.set()

    monkeypatch.setattr(KeyedCalls, "stop_starting", observed)

    async def handle(item: Numbered) -> int:
        if not stopping.is_set():  # in the first execution
            await until(lambda: runtime.gate.inside == len(items))
            runtime.stop.set()
            await until(stopping.is_set)
        return item[1]

    items = [(str(n), n) for n in range(12)]
    with lane_runtime() as runtime:
        before = run_lane(items, handle, runtime, recovery=tmp_path / "store", window=4)
    with lane_runtime() as runtime:
        after = run_lane(items, handle, runtime, recovery=tmp_path / "store", window=12)

    assert sorted(o.item[1] for o in before) == [0, 1, 2, 3]
    assert sorted(o.item[1] for o in after) == list(range(4, 12))


def test_another_index_stops_the_flow_with_its_message() -> None:
    async def handle(item: Numbered) -> int:
        raise IndexMismatch("set index.path")

    with lane_runtime() as runtime, pytest.raises(BaseException) as raised:
        run_lane(ITEMS, handle, runtime)

    causes: list[BaseException] = [raised.value]
    while (cause := causes[-1].__cause__) is not None:
        causes.append(cause)
    assert any(isinstance(cause, IndexMismatch) for cause in causes)
