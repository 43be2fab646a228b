"""The event loop of the parts and the lanes' coroutines, in a thread next to the engine's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Self, TypeVar

from operators.concurrency import cancel

Opened = TypeVar("Opened")


class LoopThread:
    """An asyncio event loop in its own thread; a context manager that starts and closes it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="lanes", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
            # Calls still in flight are in the last snapshot: cancel them.
            self.loop.run_until_complete(cancel(asyncio.all_tasks(self.loop)))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
        finally:
            self.loop.close()

    @contextmanager
    def hold(self, resource: AbstractAsyncContextManager[Opened]) -> Iterator[Opened]:
        """Enter ``resource`` on the loop, and exit it there at the end.

        One task does both, as resources with task groups or timeouts inside require.
        """
        opened: Future[Opened] = Future()
        closing = asyncio.Event()

        async def keep() -> None:
            async with resource as value:
                opened.set_result(value)
                await closing.wait()

        def pass_on(keeper: Future[None]) -> None:
            if not opened.done():
                error = keeper.exception() or RuntimeError("closed before it was open")
                opened.set_exception(error)

        keeper = asyncio.run_coroutine_threadsafe(keep(), self.loop)
        keeper.add_done_callback(pass_on)
        value = opened.result()
        try:
            yield value
        finally:
            self.loop.call_soon_threadsafe(closing.set)
            keeper.result()
