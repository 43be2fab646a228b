"""Keeps the latency flat under overload: few pictures at once, a short queue, no more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Generic, TypeVar

from operators.budget import Budget
from services.api.problems import ApiProblem

Answer = TypeVar("Answer")


class Admission:
    """Lets ``in_flight`` calls in at once, while at most ``waiting`` others wait."""

    def __init__(self, in_flight: int, waiting: int) -> None:
        self._slots = asyncio.Semaphore(in_flight)
        self._room = waiting
        self._waiting = 0

    @asynccontextmanager
    async def slot(self, budget: Budget) -> AsyncIterator[None]:
        """Wait for a slot and hold it. Raises ApiProblem (503) when too many wait already, and
        DeadlineExceeded when none becomes free within ``budget``."""
        if self._slots.locked() and self._waiting >= self._room:
            raise ApiProblem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "overloaded",
                "too many pictures are being matched",
                {"Retry-After": "1"},
            )
        self._waiting += 1
        try:
            async with budget.enforced("waiting"):
                await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._slots.release()


class Coalescer(Generic[Answer]):
    """Answers equal requests that are in flight at the same time with one call."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[Answer]] = {}
        self._callers: dict[str, int] = {}

    async def call(self, key: str, make: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer of ``make``, or of the call with this ``key`` that runs already.

        The call is cancelled once all of its callers are.
        """
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.ensure_future(make())
            assert task is not None
            task.add_done_callback(lambda _: self._running.pop(key, None))
        self._callers[key] = self._callers.get(key, 0) + 1
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if self._callers[key] == 1:
                task.cancel()
            raise
        finally:
            self._callers[key] -= 1
            if not self._callers[key]:
                del self._callers[key]
