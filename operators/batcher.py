"""Coalesces concurrent calls on single items into batch calls.

Every part that is faster on many items than on one (encoder, ledger, vector store) puts a
:class:`MicroBatcher` under its methods, so that its callers read as if there were one item.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from schemas.errors import Misconfigured, Unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, eq=False)
class _Call(Generic[Item, Result]):
    """One caller's item, and where its result is awaited."""

    item: Item
    answer: asyncio.Future[Result]
    since: float
    """time.monotonic() of the call."""


class MicroBatcher(Generic[Item, Result]):
    """Batches calls by size or by waiting time, whichever comes first.

    One batch is computed at a time; what arrives meanwhile forms the next, so a busy part finds
    its own batch size. First come, first served. To be used from one event loop; a background
    task runs only while there are calls to serve.
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

        When it raises, each item of the batch is tried alone, so that a bad item fails alone;
        Unavailable and Misconfigured speak of the part, not of an item, and go to all callers.
        ``observe`` is told each batch call's size and how long its first item waited, in seconds.
        """
        if max_size < 1 or max_wait_ms < 0:
            raise ValueError("a batch holds at least one item and waits no negative time")
        self._process = process
        self._max_size = max_size
        self._max_wait = max_wait_ms / 1000
        self._observe = observe
        self._queue: deque[_Call[Item, Result]] = deque()
        self._full = asyncio.Event()
        self._server: asyncio.Task[None] | None = None
        self._closed = False

    async def submit(self, item: Item) -> Result:
        """The result of ``item``, or the exception that belongs to it.

        Cancelling the caller takes its item out, unless its batch has already begun; the other
        callers notice nothing.
        """
        if self._closed:
            raise RuntimeError("the batcher is closed")
        call: _Call[Item, Result] = _Call(
            item, asyncio.get_running_loop().create_future(), time.monotonic()
        )
        self._queue.append(call)
        if len(self._queue) >= self._max_size:
            self._full.set()
        if self._server is None:
            # A context of its own: what the first caller has bound (log fields) is not the batch's.
            self._server = asyncio.create_task(self._serve(), context=contextvars.Context())
        return await call.answer

    async def close(self) -> None:
        """Refuse new calls; return when those already made are answered."""
        self._closed = True
        self._full.set()
        if self._server is not None:
            await asyncio.wait([self._server])

    async def _serve(self) -> None:
        """Answer calls until there are none left."""
        try:
            while self._queue:
                await self._wait_for_company(self._queue[0].since + self._max_wait)
                batch = self._take()
                if not batch:
                    continue
                try:
                    await self._compute(batch)
                finally:
                    # Only reached with calls open when this task is ended from outside.
                    _abandon(batch)
        finally:
            self._server = None
            _abandon(self._queue)
            self._queue.clear()

    async def _wait_for_company(self, until: float) -> None:
        """Until the queue holds a full batch, or ``until`` (time.monotonic()) has come."""
        if len(self._queue) >= self._max_size or self._closed:
            return
        self._full.clear()
        try:
            async with asyncio.timeout(max(0.0, until - time.monotonic())):
                await self._full.wait()
        except TimeoutError:
            pass

    def _take(self) -> list[_Call[Item, Result]]:
        """The next batch, without the calls whose callers have gone."""
        batch: list[_Call[Item, Result]] = []
        while self._queue and len(batch) < self._max_size:
            call = self._queue.popleft()
            if not call.answer.done():
                batch.append(call)
        return batch

    async def _compute(self, batch: Sequence[_Call[Item, Result]]) -> None:
        try:
            results = await self._call_process(batch)
        except (Unavailable, Misconfigured) as error:
            results = [error] * len(batch)
        except Exception as error:
            if len(batch) > 1:
                for call in batch:
                    if not call.answer.done():
                        await self._compute([call])
                return
            results = [error]
        for call, result in zip(batch, results, strict=True):
            if call.answer.done():
                continue
            if isinstance(result, Exception):
                call.answer.set_exception(result)
            else:
                call.answer.set_result(result)

    async def _call_process(
        self, batch: Sequence[_Call[Item, Result]]
    ) -> Sequence[Result | Exception]:
        if self._observe is not None:
            self._observe(len(batch), time.monotonic() - batch[0].since)
        try:
            results = await self._process([call.item for call in batch])
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # Something inside was cancelled, not this batch: its callers must not seem cancelled.
            raise RuntimeError("the batch call was cancelled from within") from None
        if len(results) != len(batch):
            raise RuntimeError(f"{len(batch)} items went in, {len(results)} results came out")
        return results


def _abandon(calls: Iterable[_Call[Item, Result]]) -> None:
    """Cancel the callers that are still without an answer."""
    for call in calls:
        call.answer.cancel()
