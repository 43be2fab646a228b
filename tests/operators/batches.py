"""A batch call to test the batcher with, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from schemas.errors import ImageRefused

HOUR_MS = 3_600_000.0


class Doubler:
    """Doubles numbers; ``bad`` ones get an exception of their own. Records its batches.

    With ``gated`` a batch ends only when ``go_on`` is set; ``started`` is set when it begins.
    """

    def __init__(self, bad: frozenset[int] = frozenset(), *, gated: bool = False) -> None:
        self.batches: list[list[int]] = []
        self.started, self.go_on = asyncio.Event(), asyncio.Event()
        if not gated:
            self.go_on.set()
        self._bad = bad

    async def __call__(self, items: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(items))
        self.started.set()
        await self.go_on.wait()
        return [ImageRefused(f"bad {item}") if item in self._bad else 2 * item for item in items]


def now() -> float:
    """Virtual seconds."""
    return asyncio.get_running_loop().time()


async def run_ready_tasks() -> None:
    """Let every task run until it waits for a timer or an event."""
    for _ in range(10):
        await asyncio.sleep(0)
