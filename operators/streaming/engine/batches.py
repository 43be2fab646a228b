"""What waits in a lane, handled as one batch; whatever a batch leaves is called alone.

A batch is a shortcut: it handles at once what needs nothing but a few facts, and reports nothing
but success. Items that need more, and all that meet an error, are passed on to the calls, which
call them one by one, retry and report. So the errors' effects are those of KeyedCalls.

One batch at a time; what arrives meanwhile forms the next. Items of one key keep their order: in a
batch, from one batch to the next, and behind an item that is called alone.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import structlog

from operators.streaming.engine.keyed_calls import KeyedCalls, Report, Wait
from operators.streaming.engine.outcomes import Done, Outcome, Withdrawn
from schemas.errors import KilledProcess

log = structlog.get_logger()

Item = TypeVar("Item")
Value = TypeVar("Value")

MOST = 256
"""Items of a batch: some 20 ms of the event loop's time, in which no other call goes on."""

HandleBatch = Callable[[Sequence[Item]], Awaitable[Sequence[Done[Item, Value] | None]]]
"""Handles items in their order, and returns their outcomes in that order. None: the item is to be
called alone, and so are all later ones of its key. Calling one that was handled must do no harm."""


class BatchedCalls(Generic[Item, Value]):
    """Calls ``handle_batch`` on what waits, and ``calls`` on what that leaves. Use it as those."""

    def __init__(
        self, handle_batch: HandleBatch[Item, Value], calls: KeyedCalls[Item, Value]
    ) -> None:
        self._handle_batch = handle_batch
        self._calls = calls
        self._waiting: deque[tuple[Item, Report[Item, Value]]] = deque()
        self._alone: Counter[str] = Counter()
        """By key, the items that are called alone."""
        self._batch: list[Item] = []
        self._begun = 0.0
        """Loop time at which the batch was begun."""
        self._worker: asyncio.Task[None] | None = None
        self._handling: asyncio.Task[Sequence[Done[Item, Value] | None]] | None = None
        self._stopping = False
        self._failing = False
        """The last batch failed."""

    @property
    def paused(self) -> int:
        return self._calls.paused

    @property
    def waits(self) -> list[Wait]:
        return self._calls.waits

    @property
    def oldest_seconds(self) -> float:
        batch = self._calls.loop.time() - self._begun if self._batch else 0.0
        return max(batch, self._calls.oldest_seconds)

    @property
    def idle(self) -> bool:
        return self._worker is None and self._calls.idle

    def stop_starting(self) -> None:
        self._stopping = True
        self._calls.stop_starting()

    def cancel_given_up(self) -> None:
        if self._handling is not None and any(map(self._given_up, self._batch)):
            self._handling.cancel()
        self._calls.cancel_given_up()

    def submit(self, item: Item, report: Report[Item, Value]) -> None:
        """Queue ``item``; call ``report`` once, on the loop, with its outcome."""
        self._waiting.append((item, report))
        if self._worker is None:
            self._worker = self._calls.loop.create_task(self._work())

    async def _work(self) -> None:
        """Handle batches while items wait."""
        try:
            while self._waiting and not self._stopping:
                batch = self._take()
                self._batch = [item for item, _ in batch]
                if batch:
                    outcomes = await self._outcomes(self._batch)
                    for (item, report), outcome in zip(batch, outcomes, strict=True):
                        self._pass_on(item, report, outcome)
        finally:
            self._worker, self._batch = None, []

    def _take(self) -> list[tuple[Item, Report[Item, Value]]]:
        """The next batch; items that must be called alone are passed on."""
        batch = []
        for _ in range(min(MOST, len(self._waiting))):
            item, report = self._waiting.popleft()
            admission = self._calls.admission
            if self._calls.key(item) in self._alone or (admission and admission.one_at_a_time):
                self._call_alone(item, report)
                continue
            try:
                admitted = admission is None or admission.start(item)
            except KilledProcess:
                self._call_alone(item, report)
                continue
            if admitted:
                batch.append((item, report))
            else:
                report(Withdrawn(item))
        return batch

    async def _outcomes(self, items: list[Item]) -> Sequence[Done[Item, Value] | None]:
        self._begun = self._calls.loop.time()
        self._handling = self._calls.loop.create_task(self._call_batch(items))
        try:
            async with asyncio.timeout(self._calls.policy.deadline_seconds):
                outcomes = await self._handling
            self._failing = False
            return outcomes
        except asyncio.CancelledError:
            worker = asyncio.current_task()
            if worker is not None and worker.cancelling():
                raise  # the loop is closing
        except Exception as error:
            if not self._failing:
                self._failing = True
                log.warning("batch failed, its items are called one by one", error=str(error))
        finally:
            self._handling = None
        return [None] * len(items)

    async def _call_batch(self, items: Sequence[Item]) -> Sequence[Done[Item, Value] | None]:
        return await self._handle_batch(items)

    def _pass_on(
        self, item: Item, report: Report[Item, Value], outcome: Done[Item, Value] | None
    ) -> None:
        if outcome is not None:
            report(outcome)
        elif self._given_up(item):
            assert self._calls.admission is not None, "it gave the item up"
            self._calls.admission.withdrawn(item)
            report(Withdrawn(item))
        else:
            self._call_alone(item, report)

    def _given_up(self, item: Item) -> bool:
        return self._calls.admission is not None and self._calls.admission.given_up(item)

    def _call_alone(self, item: Item, report: Report[Item, Value]) -> None:
        key = self._calls.key(item)
        self._alone[key] += 1

        def done(outcome: Outcome[Item, Value]) -> None:
            self._alone[key] -= 1
            if not self._alone[key]:
                del self._alone[key]
            report(outcome)

        self._calls.submit(item, done)


Calls = KeyedCalls[Item, Value] | BatchedCalls[Item, Value]
"""What a lane makes its calls with."""
