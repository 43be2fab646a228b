"""Runs coroutines next to each other, and leaves none behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

Result = TypeVar("Result")


async def gather_or_cancel(work: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """The results in the order of ``work``.

    Like asyncio.gather, but when one coroutine fails, or the caller is cancelled, the others are
    cancelled and awaited: none keeps running in the background on parts that may be closed.
    """
    tasks = [asyncio.ensure_future(coroutine) for coroutine in work]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


@asynccontextmanager
async def running(coroutine: Coroutine[Any, Any, object]) -> AsyncIterator[None]:
    """Meanwhile, run ``coroutine`` in the background; cancel it at the end, and await that."""
    task = asyncio.create_task(coroutine)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
