"""Where a look's time goes: median milliseconds per stage, one look at a time, two and eight.

python -m benchmarks.look_stages [PRODUCTS] [LOOKS]
"""

from __future__ import annotations

import asyncio
import sys
import time
from statistics import median

from benchmarks.drawn_world import drawn_world
from dataflows.parts import embedded_services, open_look_parts
from dataflows.run import run_flow
from operators.budget import Budget
from operators.matching.match import match_look
from schemas.looks import Look, LookMatches
from schemas.settings import Settings

AT_ONCE = (1, 2, 8)


async def matched(
    looks: list[Look], settings: Settings, at_once: int
) -> tuple[list[LookMatches], float]:
    """The events, and the seconds that all of them took."""
    async with open_look_parts(settings) as parts:
        places = asyncio.Semaphore(at_once)

        async def match(look: Look) -> LookMatches:
            async with places:
                return await match_look(look, parts.match, Budget.of(60.0))

        await match(looks[0])  # class prompts are embedded once
        started = time.perf_counter()
        events = await asyncio.gather(*map(match, looks))
        return events, time.perf_counter() - started


def main(products: int = 1000, looks: int = 40) -> None:
    with drawn_world(products, looks) as (world, settings), embedded_services(settings):
        run_flow("catalog", settings, once=True)
        wanted = [Look.model_validate_json(r.value) for r in world.look_event_records()]
        matching = settings.matching.model_copy(update={"cache_seconds": 0.0})
        uncached = settings.model_copy(update={"matching": matching})
        runs = {n: asyncio.run(matched(wanted, uncached, n)) for n in AT_ONCE}
    stages = runs[1][0][0].timings_ms
    print(f"{'at once':<12}" + "".join(f" {n:>9}" for n in AT_ONCE) + "  (median ms)")
    for stage in stages:
        row = [median(event.timings_ms[stage] for event in events) for events, _ in runs.values()]
        print(f"{stage:<12}" + "".join(f" {median_ms:>9.1f}" for median_ms in row))
    rates = [len(wanted) / seconds for _, seconds in runs.values()]
    print(f"{'looks/s':<12}" + "".join(f" {rate:>9.2f}" for rate in rates))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
