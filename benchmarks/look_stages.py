"""Median milliseconds per stage of a look, with one, two and eight looks at once; looks a second;
and the CPU time of a look, of all threads and of the event loop's.

    python -m benchmarks.look_stages [PRODUCTS] [LOOKS]

The event loop runs all of a look but the models, their preprocessing, SQLite and the decoding of
pictures, which have threads or processes of their own: its time is what matching costs outside
model calls. That no moment passes without a model call in progress would say nothing, because the
loop may be busy meanwhile. Layers run concurrently, so stages add up to more than the total.

Rounds alternate, so that whatever else runs on the machine disturbs all of them alike; each begins
without cached captions. OpenMP's threads sleep while they wait (OMP_WAIT_POLICY=PASSIVE, unless it
is set otherwise): spinning, they would count as CPU time. LOOKSYNC_VLM__KIND=none measures matching
with the tagger.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.drawn_world import drawn_world
from dataflows.run import run_flow
from dataflows.wiring.embedded import embedded_services
from dataflows.wiring.parts import open_look_parts
from operators.budget import Budget
from operators.matching.match import match_look
from schemas.looks import Look, LookMatches
from schemas.settings import Settings

AT_ONCE = (1, 2, 8)
ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Round:
    """All looks matched once; times in seconds."""

    events: list[LookMatches]
    took: float
    cpu: float
    """Of all threads."""
    loop_cpu: float
    """Of the event loop's thread."""


async def match_all(looks: Sequence[Look], settings: Settings, at_once: int) -> Round:
    """Match ``looks``, so many at once."""
    async with open_look_parts(settings) as parts:
        slots = asyncio.Semaphore(at_once)

        async def match(look: Look) -> LookMatches:
            async with slots:
                return await match_look(look, parts.match, Budget.of(60.0))

        await match(looks[0])  # class prompts are embedded once
        clocks = (time.perf_counter, time.process_time, time.thread_time)
        started = [clock() for clock in clocks]
        events = await asyncio.gather(*map(match, looks))
        took = (clock() - start for clock, start in zip(clocks, started, strict=True))
        return Round(events, *took)


def main(products: int = 1000, looks: int = 40) -> None:
    # Read when torch is loaded, which is later.
    policy = os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
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
        rounds: dict[int, list[Round]] = {n: [] for n in AT_ONCE}
        for _ in range(ROUNDS):
            for n in AT_ONCE:
                rounds[n].append(asyncio.run(match_all(wanted, uncached, n)))
    print(f"OMP_WAIT_POLICY={policy}, {ROUNDS} rounds of {len(wanted)} looks")
    print(f"{'at once':<12}" + "".join(f" {n:>9}" for n in AT_ONCE) + "  (median ms)")
    stages = dict.fromkeys(stage for event in rounds[1][0].events for stage in event.timings_ms)
    for stage in stages:
        row = [
            median(event.timings_ms.get(stage, 0.0) for one in ran for event in one.events)
            for ran in rounds.values()
        ]
        print(f"{stage:<12}" + "".join(f" {median_ms:>9.1f}" for median_ms in row))

    def per_look(seconds: Callable[[Round], float]) -> list[float]:
        """Milliseconds a look, for each number at once."""
        matched = ROUNDS * len(wanted)
        return [1000 * sum(map(seconds, ran)) / matched for ran in rounds.values()]

    rates = [1000 / milliseconds for milliseconds in per_look(lambda one: one.took)]
    print(f"{'looks/s':<12}" + "".join(f" {rate:>9.2f}" for rate in rates))
    for name, milliseconds in {
        "CPU": per_look(lambda one: one.cpu),
        "loop's CPU": per_look(lambda one: one.loop_cpu),
    }.items():
        print(f"{name:<12}" + "".join(f" {value:>9.1f}" for value in milliseconds))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
