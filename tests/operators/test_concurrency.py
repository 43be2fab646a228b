"""Coroutines in the background end when they are cancelled, even if that needs a second time."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from operators.concurrency import gather_or_cancel, running


async def stubborn() -> None:
    """Loses its first cancellation, as asyncio.wait_for may."""
    with suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    await asyncio.Event().wait()


async def test_a_background_coroutine_that_loses_its_cancellation_ends() -> None:
    async with asyncio.timeout(10), running(stubborn()):
        await asyncio.sleep(0)


async def test_the_error_of_a_background_coroutine_is_raised_at_the_end() -> None:
    async def broken() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        async with running(broken()):
            await asyncio.sleep(0)


async def test_one_failure_cancels_the_others() -> None:
    others = asyncio.Event()

    async def failing() -> None:
        await others.wait()
        raise ValueError("failed")

    async def other() -> None:
        others.set()
        await stubborn()

    async with asyncio.timeout(10):
        with pytest.raises(ValueError, match="failed"):
            await gather_or_cancel([other(), failing()])
