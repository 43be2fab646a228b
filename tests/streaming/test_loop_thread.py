"""The loop thread: resources belong to one of its tasks, errors are raised in the caller, nothing
is left open."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from operators.streaming.engine.loop_thread import LoopThread


def test_a_resource_is_entered_and_left_by_one_task_on_the_loop() -> None:
    tasks: list[asyncio.Task[object] | None] = []

    @asynccontextmanager
    async def resource() -> AsyncIterator[str]:
        tasks.append(asyncio.current_task())
        async with asyncio.timeout(60):  # must be left by the task that entered it
            yield threading.current_thread().name
        tasks.append(asyncio.current_task())

    with LoopThread() as thread, thread.hold(resource()) as where:
        assert where == "lanes"
        assert len(tasks) == 1

    assert tasks[0] is tasks[1]


def test_closing_cancels_a_task_that_loses_its_first_cancellation() -> None:
    begun = threading.Event()

    async def stubborn() -> None:
        with suppress(asyncio.CancelledError):
            begun.set()
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    with LoopThread() as thread:
        asyncio.run_coroutine_threadsafe(stubborn(), thread.loop)
        assert begun.wait(10)


def test_what_opening_raises_comes_back() -> None:
    @asynccontextmanager
    async def broken() -> AsyncIterator[None]:
        raise ValueError("cannot be opened")
        yield

    with (
        LoopThread() as thread,
        pytest.raises(ValueError, match="cannot be opened"),
        thread.hold(broken()),
    ):
        pytest.fail("never open")


def test_what_closing_raises_comes_back() -> None:
    @asynccontextmanager
    async def broken() -> AsyncIterator[None]:
        yield
        raise ValueError("cannot be closed")

    with (
        LoopThread() as thread,
        pytest.raises(ValueError, match="cannot be closed"),
        thread.hold(broken()),
    ):
        pass


def test_tasks_in_flight_are_cancelled_at_the_end() -> None:
    ended = threading.Event()

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with LoopThread() as thread:
        asyncio.run_coroutine_threadsafe(hang(), thread.loop)
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), thread.loop).result()

    assert ended.is_set()
    assert thread.loop.is_closed()
