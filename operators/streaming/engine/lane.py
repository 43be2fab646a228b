"""The lane: an operator that keeps a bounded number of asynchronous calls in flight.

Worker thread (engine)                      event loop (LoopThread)
  on_batch: items become pending   ----->     calls: window, order per key, retries
  on_notify: outcomes are emitted  <-----     report: outcome into a queue

On file topics the lane's snapshot is its pending items. An item is pending until its outcome has
been emitted, so after a crash every item whose outcome is not yet durable downstream is called
again. On Kafka the consumer group's commit says which those are, and there is no snapshot.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Generic, TypeVar

import bytewax.operators as op
from bytewax.dataflow import operator
from bytewax.operators import KeyedStream, StatefulBatchLogic

from operators.streaming.engine.batches import Calls
from operators.streaming.engine.gate import Gate
from operators.streaming.engine.loop_thread import LoopThread
from operators.streaming.engine.outcomes import Done, Failed, Outcome, Withdrawn
from operators.streaming.engine.pace import BUSY_SECONDS, DUE
from schemas.errors import MustStop
from schemas.records import Record

Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class LaneRuntime:
    """What the lanes and sources of a flow share."""

    thread: LoopThread
    gate: Gate
    stop: threading.Event
    """Set to stop the process: sources end, lanes start no more calls."""
    snapshots: bool = True
    """Whether lanes keep their pending items in the engine's recovery store."""


@operator
def lane(
    step_id: str,
    up: KeyedStream[Item],
    calls: Calls[Item, Value],
    runtime: LaneRuntime,
) -> KeyedStream[Done[Item, Value] | Failed[Item]]:
    """Call a coroutine on each item and emit the outcomes.

    The stream's key is the name of an item's lane. It must be a fixed function of the item's own
    key (its topic partition), so that items of one key share a lane across restarts. Outcomes of
    one key keep its order; those of different keys may overtake each other. Raises MustStop,
    which ends the flow, when a call does.
    """
    return op.stateful_batch("calls", up, lambda pending: _Lane(pending, calls, runtime))


class _Lane(
    StatefulBatchLogic[Item, Done[Item, Value] | Failed[Item], tuple[Item, ...]],
    Generic[Item, Value],
):
    """One lane; its state is the tuple of pending items in order of arrival."""

    def __init__(
        self,
        recovered: tuple[Item, ...] | None,
        calls: Calls[Item, Value],
        runtime: LaneRuntime,
    ) -> None:
        self._calls = calls
        self._runtime = runtime
        self._pending: dict[int, Item] = {}
        self._arrivals = 0
        # The loop appends, the worker pops: a deque is thread-safe at both ends.
        self._outcomes: deque[tuple[int, Outcome[Item, Value]]] = deque()
        if recovered:
            runtime.gate.enter(len(recovered), sum(map(size_of, recovered)))
            self._admit(recovered)

    def on_batch(self, values: list[Item]) -> tuple[list[Done[Item, Value] | Failed[Item]], bool]:
        self._admit(values)
        return self._collect(), StatefulBatchLogic.RETAIN

    def on_notify(self) -> tuple[list[Done[Item, Value] | Failed[Item]], bool]:
        return self._collect(), StatefulBatchLogic.RETAIN

    def on_eof(self) -> tuple[list[Done[Item, Value] | Failed[Item]], bool]:
        """Drain: wait for everything pending, because the engine calls this only once.

        When the process stops, wait only for the started calls that do not wait for an unavailable
        service. What stays pending is called after the next start.
        """
        outcomes = self._collect()
        idle = False
        while self._pending and not idle:
            time.sleep(BUSY_SECONDS)
            if self._runtime.stop.is_set():
                self._calls.stop_starting()
                idle = self._calls.idle
            outcomes += self._collect()
        return outcomes, StatefulBatchLogic.RETAIN

    def notify_at(self) -> datetime | None:
        return DUE if self._pending else None

    def snapshot(self) -> tuple[Item, ...]:
        return tuple(self._pending.values()) if self._runtime.snapshots else ()

    def _admit(self, items: Sequence[Item]) -> None:
        first = self._arrivals
        self._arrivals += len(items)
        numbered = list(enumerate(items, first))
        self._pending.update(numbered)
        self._runtime.thread.loop.call_soon_threadsafe(self._submit, numbered)

    def _submit(self, numbered: list[tuple[int, Item]]) -> None:
        """Runs on the loop."""
        for number, item in numbered:
            self._calls.submit(item, partial(self._report, number))

    def _report(self, number: int, outcome: Outcome[Item, Value]) -> None:
        """Runs on the loop."""
        self._outcomes.append((number, outcome))

    def _collect(self) -> list[Done[Item, Value] | Failed[Item]]:
        collected: list[Done[Item, Value] | Failed[Item]] = []
        left = size = 0
        while self._outcomes:
            number, outcome = self._outcomes.popleft()
            if isinstance(outcome, Failed) and isinstance(outcome.error, MustStop):
                raise outcome.error
            left, size = left + 1, size + size_of(self._pending.pop(number))
            if not isinstance(outcome, Withdrawn):
                collected.append(outcome)
        self._runtime.gate.leave(left, size)
        return collected


def size_of(item: object) -> int:
    """The bytes of a record's value; 0 for other items."""
    return len(item.value) if isinstance(item, Record) else 0
