"""The async lane: an operator that keeps a bounded number of calls in flight inside the engine.

Worker thread (engine)                      event loop (LoopThread)
  on_batch: items become pending   ----->     KeyedCalls: window, order per key, retries
  on_notify: outcomes are emitted  <-----     report: outcome into a queue

Pending inputs are the lane's snapshot: an item is pending until its outcome has been emitted, so
after a crash every input whose outcome is not yet durable downstream is called again.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Generic, TypeVar

import bytewax.operators as op
from bytewax.dataflow import operator
from bytewax.operators import KeyedStream, StatefulBatchLogic

from operators.streaming.engine.gate import Gate
from operators.streaming.engine.keyed_calls import Done, Failed, KeyedCalls
from operators.streaming.engine.loop_thread import LoopThread
from schemas.errors import Misconfigured

Item = TypeVar("Item")
Value = TypeVar("Value")

POLL = timedelta(milliseconds=1)
"""How often outcomes are collected while calls are in flight: most of the latency a lane adds."""


@dataclass(frozen=True, slots=True)
class LaneRuntime:
    """What a lane runs on; made by whoever builds the flow, shared by its lanes and sources."""

    thread: LoopThread
    gate: Gate
    stop: threading.Event
    """Set to end the process: sources end, lanes begin no more calls."""
    pending: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    """Per lane, the items that its last snapshot holds."""


@operator
def lane(
    step_id: str,
    up: KeyedStream[Item],
    calls: KeyedCalls[Item, Value],
    runtime: LaneRuntime,
) -> KeyedStream[Done[Item, Value] | Failed[Item]]:
    """Call a coroutine on each item, and emit how each ended.

    The stream's key names an item's lane; it must be a function of the item's own key that never
    changes (the topic partition), so that items of one key share a lane across restarts. Outcomes
    of one key come in its order, those of different keys in any. Raises Misconfigured, which ends
    the flow, when a call does.
    """
    return op.stateful_batch("calls", up, lambda pending: _Lane(pending, calls, runtime))


class _Lane(
    StatefulBatchLogic[Item, Done[Item, Value] | Failed[Item], tuple[Item, ...]],
    Generic[Item, Value],
):
    """One lane; its state is the tuple of pending items in the order of their arrival."""

    def __init__(
        self,
        recovered: tuple[Item, ...] | None,
        calls: KeyedCalls[Item, Value],
        runtime: LaneRuntime,
    ) -> None:
        self._calls = calls
        self._runtime = runtime
        self._pending: dict[int, Item] = {}
        self._arrivals = 0
        # Appended to by the loop, emptied by the worker: both ends of a deque are thread-safe.
        self._outcomes: deque[tuple[int, Done[Item, Value] | Failed[Item]]] = deque()
        if recovered:
            runtime.pending[id(self)] = recovered
            runtime.gate.enter(len(recovered))
            self._admit(recovered)

    def on_batch(self, values: list[Item]) -> tuple[list[Done[Item, Value] | Failed[Item]], bool]:
        self._admit(values)
        return self._collect(), StatefulBatchLogic.RETAIN

    def on_notify(self) -> tuple[list[Done[Item, Value] | Failed[Item]], bool]:
        return self._collect(), StatefulBatchLogic.RETAIN

    def on_eof(self) -> tuple[list[Done[Item, Value] | Failed[Item]], bool]:
        """Drain: the engine asks only once, so this waits for everything pending.

        When the process is to stop, only for the calls that have begun and don't wait for a part
        that is away; what stays pending is called at the next start.
        """
        outcomes = self._collect()
        settled = False
        while self._pending and not settled:
            time.sleep(POLL.total_seconds())
            if self._runtime.stop.is_set():
                self._calls.begin_no_more()
                settled = self._calls.settled
            outcomes += self._collect()
        return outcomes, StatefulBatchLogic.RETAIN

    def notify_at(self) -> datetime | None:
        return datetime.now(UTC) + POLL if self._pending else None

    def snapshot(self) -> tuple[Item, ...]:
        pending = self._runtime.pending[id(self)] = tuple(self._pending.values())
        return pending

    def _admit(self, items: Sequence[Item]) -> None:
        first = self._arrivals
        self._arrivals += len(items)
        numbered = list(enumerate(items, first))
        self._pending.update(numbered)
        self._runtime.thread.loop.call_soon_threadsafe(self._submit, numbered)

    def _submit(self, numbered: list[tuple[int, Item]]) -> None:
        """On the loop."""
        for number, item in numbered:
            self._calls.submit(item, partial(self._report, number))

    def _report(self, number: int, outcome: Done[Item, Value] | Failed[Item]) -> None:
        """On the loop."""
        self._outcomes.append((number, outcome))

    def _collect(self) -> list[Done[Item, Value] | Failed[Item]]:
        collected: list[Done[Item, Value] | Failed[Item]] = []
        while self._outcomes:
            number, outcome = self._outcomes.popleft()
            if isinstance(outcome, Failed) and isinstance(outcome.error, Misconfigured):
                raise outcome.error
            del self._pending[number]
            collected.append(outcome)
        self._runtime.gate.leave(len(collected))
        return collected
