"""Runs coroutines next to each other, and leaves none behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

Result = TypeVar("Result")

CANCEL_AGAIN_SECONDS = 1.0
"""Longer than the cleanup of a cancelled coroutine, which a second cancellation would interrupt."""


async def cancel(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel ``tasks`` and wait until they have ended.

    Cancels again and again, because a cancellation may be lost: asyncio.wait_for of Python 3.11,
    which Redis's client uses for each command, drops one that arrives with the result.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=CANCEL_AGAIN_SECONDS)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # else Python logs that nobody has asked for it


async def gather_or_cancel(work: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """The results in the order of ``work``.

    Like asyncio.gather, but when one coroutine fails, or the caller is cancelled, the others are
    cancelled and awaited: none keeps running in the background on parts that may be closed.
    """
    tasks = [asyncio.ensure_future(coroutine) for coroutine in work]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        await cancel(tasks)
        raise


@asynccontextmanager
async def running(coroutine: Coroutine[Any, Any, object]) -> AsyncIterator[None]:
    """Meanwhile, run ``coroutine`` in the background; cancel it at the end, and await that."""
    task = asyncio.create_task(coroutine)
    try:
        yield
    finally:
        await cancel([task])
        if not task.cancelled():
            task.result()
