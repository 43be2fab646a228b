"""Coalesces concurrent calls on single items into batch calls.

Every part that is faster on many items than on one (encoder, ledger, vector store) wraps its batch
call in a :class:`MicroBatcher`; its callers pass one item at a time.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from schemas.errors import Misconfigured, Unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, eq=False)
class _Call(Generic[Item, Result]):
    """One caller's item and the future that the caller awaits."""

    item: Item
    result: asyncio.Future[Result]
    submitted_at: float
    """Loop time."""


class MicroBatcher(Generic[Item, Result]):
    """Batches calls by size or by waiting time, whichever comes first.

    One batch is processed at a time; calls that arrive meanwhile form the next one, so the batch
    size grows with the load. First in, first out. For use from one event loop; a background task
    runs only while calls are pending.
    """

    def __init__(
        self,
        process: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]],
        *,
        max_size: int,
        max_wait_ms: float,
        observe: Callable[[int, float], None] | None = None,
    ) -> None:
        """``process`` takes up to ``max_size`` items and returns, in their order, a result or an
        exception for each.

        When it raises, each item of the batch is retried alone, so that a bad item fails alone;
        Unavailable and Misconfigured concern the part, not an item, and go to all callers.
        ``observe`` receives the size of each batch call and how long its first item waited, in
        seconds.
        """
        if max_size < 1 or max_wait_ms < 0:
            raise ValueError("max_size must be at least 1 and max_wait_ms must not be negative")
        self._process = process
        self._max_size = max_size
        self._max_wait = max_wait_ms / 1000
        self._observe = observe
        self._queue: deque[_Call[Item, Result]] = deque()
        self._full = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._closed = False

    async def submit(self, item: Item) -> Result:
        """Return the result of ``item``, or raise the exception that belongs to it.

        Cancelling the caller removes its item, unless its batch has started; other callers are not
        affected. Raises RuntimeError after :meth:`close`.
        """
        if self._closed:
            raise RuntimeError("the batcher is closed")
        loop = asyncio.get_running_loop()
        call: _Call[Item, Result] = _Call(item, loop.create_future(), loop.time())
        self._queue.append(call)
        if len(self._queue) >= self._max_size:
            self._full.set()
        if self._worker is None:
            # An empty context: log fields bound by the first caller do not belong to the batch.
            self._worker = asyncio.create_task(self._process_queue(), context=contextvars.Context())
        return await call.result

    async def close(self) -> None:
        """Reject new calls; return when all pending ones are done."""
        self._closed = True
        self._full.set()
        if self._worker is not None:
            await asyncio.wait([self._worker])

    async def _process_queue(self) -> None:
        """Process batches until the queue is empty."""
        try:
            while self._queue:
                await self._wait_until_full(self._queue[0].submitted_at + self._max_wait)
                batch = self._take_batch()
                if not batch:
                    continue
                try:
                    await self._complete(batch)
                finally:
                    # Calls are still pending here only when this task was cancelled.
                    _cancel_pending(batch)
        finally:
            self._worker = None
            _cancel_pending(self._queue)
            self._queue.clear()

    async def _wait_until_full(self, deadline: float) -> None:
        """Wait until the queue holds a full batch, at most until ``deadline`` (loop time)."""
        if len(self._queue) >= self._max_size or self._closed:
            return
        self._full.clear()
        try:
            async with asyncio.timeout_at(deadline):
                await self._full.wait()
        except TimeoutError:
            pass

    def _take_batch(self) -> list[_Call[Item, Result]]:
        """Remove the next batch from the queue; drop calls whose callers were cancelled."""
        batch: list[_Call[Item, Result]] = []
        while self._queue and len(batch) < self._max_size:
            call = self._queue.popleft()
            if not call.result.done():
                batch.append(call)
        return batch

    async def _complete(self, batch: Sequence[_Call[Item, Result]]) -> None:
        """Set the result or exception of every call in ``batch``."""
        try:
            results = await self._call_process(batch)
        except (Unavailable, Misconfigured) as error:
            results = [error] * len(batch)
        except Exception as error:
            if len(batch) > 1:
                for call in batch:
                    if not call.result.done():
                        await self._complete([call])
                return
            results = [error]
        for call, result in zip(batch, results, strict=True):
            if call.result.done():
                continue
            if isinstance(result, Exception):
                call.result.set_exception(result)
            else:
                call.result.set_result(result)

    async def _call_process(
        self, batch: Sequence[_Call[Item, Result]]
    ) -> Sequence[Result | Exception]:
        if self._observe is not None:
            waited = asyncio.get_running_loop().time() - batch[0].submitted_at
            self._observe(len(batch), waited)
        try:
            results = await self._process([call.item for call in batch])
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # Something inside the call was cancelled, not this task: callers must not see a
            # cancellation.
            raise RuntimeError("the batch call was cancelled from within") from None
        if len(results) != len(batch):
            raise RuntimeError(f"{len(batch)} items gave {len(results)} results")
        return results


def _cancel_pending(calls: Iterable[_Call[Item, Result]]) -> None:
    """Cancel the callers that have no result yet."""
    for call in calls:
        call.result.cancel()
