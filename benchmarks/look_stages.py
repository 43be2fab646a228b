"""Median milliseconds per stage of a look, with one, two and eight looks at once, and the share of
time in which no model call is in progress.

    python -m benchmarks.look_stages [PRODUCTS] [LOOKS]

A model call includes preprocessing and waiting for its batch. Layers run concurrently, so stages
add up to more than the total. LOOKSYNC_VLM__KIND=none measures matching with the tagger.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import ParamSpec, TypeVar

from benchmarks.drawn_world import drawn_world
from dataflows.run import run_flow
from dataflows.wiring.embedded import embedded_services
from dataflows.wiring.parts import open_look_parts
from operators.budget import Budget
from operators.matching.match import match_look
from schemas.looks import Look, LookMatches
from schemas.settings import Settings

AT_ONCE = (1, 2, 8)
ENCODER_CALLS = ("encode_image", "encode_text", "encode_patches")
VLM_CALLS = ("describe", "rerank")

Given = ParamSpec("Given")
Result = TypeVar("Result")


class Clock:
    """Measures how long at least one of the timed calls is in progress."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._in_progress, self._since = 0, 0.0

    def time(self, part: object, *names: str) -> None:
        """Time the named methods of ``part`` from now on."""
        for name in names:
            setattr(part, name, self._timed(getattr(part, name)))

    def _timed(
        self, call: Callable[Given, Awaitable[Result]]
    ) -> Callable[Given, Awaitable[Result]]:
        async def timed(*args: Given.args, **named: Given.kwargs) -> Result:
            if self._in_progress == 0:
                self._since = time.perf_counter()
            self._in_progress += 1
            try:
                return await call(*args, **named)
            finally:
                self._in_progress -= 1
                if self._in_progress == 0:
                    self.seconds += time.perf_counter() - self._since

        return timed


async def match_all(
    looks: list[Look], settings: Settings, at_once: int
) -> tuple[list[LookMatches], float, float]:
    """The events, the total seconds, and the seconds without a model call in progress."""
    async with open_look_parts(settings) as parts:
        clock = Clock()
        clock.time(parts.match.encoder, *ENCODER_CALLS)
        if parts.match.vlm is not None:
            clock.time(parts.match.vlm, *VLM_CALLS)
        slots = asyncio.Semaphore(at_once)

        async def match(look: Look) -> LookMatches:
            async with slots:
                return await match_look(look, parts.match, Budget.of(60.0))

        await match(looks[0])  # class prompts are embedded once
        clock.seconds, started = 0.0, time.perf_counter()
        events = await asyncio.gather(*map(match, looks))
        took = time.perf_counter() - started
        return events, took, took - clock.seconds


def main(products: int = 1000, looks: int = 40) -> None:
    with drawn_world(products, looks) as (world, settings), embedded_services(settings):
        run_flow("catalog", settings, once=True)
        wanted = [Look.model_validate_json(r.value) for r in world.look_event_records()]
        never = {"cache_seconds": 0.0}
        uncached = settings.model_copy(
            update={
                "matching": settings.matching.model_copy(update=never),
                "vlm": settings.vlm.model_copy(update=never),
            }
        )
        runs = {n: asyncio.run(match_all(wanted, uncached, n)) for n in AT_ONCE}
    stages = dict.fromkeys(stage for event in runs[1][0] for stage in event.timings_ms)
    print(f"{'at once':<12}" + "".join(f" {n:>9}" for n in AT_ONCE) + "  (median ms)")
    for stage in stages:
        row = [
            median(event.timings_ms.get(stage, 0.0) for event in events)
            for events, _, _ in runs.values()
        ]
        print(f"{stage:<12}" + "".join(f" {median_ms:>9.1f}" for median_ms in row))
    rates = [len(wanted) / seconds for _, seconds, _ in runs.values()]
    print(f"{'looks/s':<12}" + "".join(f" {rate:>9.2f}" for rate in rates))
    outside = [100 * idle / seconds for _, seconds, idle in runs.values()]
    print(f"{'outside':<12}" + "".join(f" {share:>8.1f}%" for share in outside))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
