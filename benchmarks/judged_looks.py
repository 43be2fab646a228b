"""Calibration on judged looks, compared with the encoder's own and with the catalog's.

    python -m benchmarks.judged_looks [--seed SEED] [--products N] [--looks N] [--judged N]

The first looks are judged by the truth of the drawn world; the others, with all their filters, are
matched under each calibration. The tagger describes. The errors are those of the first products
shown, the intervals those of 95 %.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.drawn_world import settings_in
from dataflows.jobs.calibrate import calibrate
from dataflows.jobs.calibrate_judged import calibrate_judged
from dataflows.run import run_flow
from dataflows.wiring.parts import open_look_parts
from evaluation.sandbox.judgements import judge, to_judge, write_judgements
from evaluation.sandbox.look_report import JudgedLayer, quality
from evaluation.sandbox.look_report import judge as judge_layers
from evaluation.statistics import Estimate, estimate_calibration, hit_at
from operators.budget import Budget
from operators.matching.match import match_look
from operators.stores.redis.embedded_server import stop_left_over
from operators.streaming.files.topic import FileTopic
from sandbox.life import World, draw_world
from schemas.looks import Look, LookMatches
from schemas.settings import Settings

ALL_SHOWN = {"abstain_below": 0.0, "list_from": 0.0}


async def match_all(looks: Sequence[Look], settings: Settings) -> list[LookMatches]:
    async with open_look_parts(settings) as parts:
        return [await match_look(look, parts.match, Budget.of(60)) for look in looks]


def row(name: str, layers: Sequence[JudgedLayer]) -> str:
    def error(
        probability: Callable[[JudgedLayer], float | None], true: Callable[[JudgedLayer], bool]
    ) -> Estimate:
        return estimate_calibration(
            (one.look_id, given, true(one))
            for one in layers
            if (given := probability(one)) is not None
        )

    item = error(lambda one: one.same_item, lambda one: hit_at(one.ranked, one.true, 1) == 1)
    kind = error(lambda one: one.same_kind, lambda one: one.of_kind)
    figures = quality(layers)
    cells = [
        *(f"{one.value or 0:.3f} ({one.low or 0:.3f}-{one.high or 0:.3f})" for one in (item, kind)),
        f"{figures['exact_hit_at_1'].value or 0:.3f}",
        *(
            f"{1 - (figures[kind].value or 0):.3f}"
            for kind in ("exact_wrongly_abstained", "near_abstained", "absent_abstained")
        ),
    ]
    return " | ".join((f"{name:10s}", *cells, str(item.n)))


async def compare(world: World, settings: Settings, judged: int) -> None:
    by_id = {
        look.look_id: look
        for look in (Look.model_validate_json(one.value) for one in world.look_event_records())
    }
    looks = [by_id[one] for one in sorted(by_id)]
    truth = world.truth()
    held_out = truth.model_copy(update={"looks": truth.looks[judged:]})

    async def measure(name: str) -> None:
        events = await match_all(looks[judged:], settings)
        layers = judge_layers(held_out, {event.look_id: event for event in events})
        print(row(name, layers), flush=True)

    print("fit | ECE item | ECE kind | hit@1 | exact shown | near shown | absent shown | n")
    await measure("encoder's")
    await calibrate(settings, 600)
    await measure("catalog's")
    asked = [to_judge(look) for look in looks[:judged]]
    everything = settings.model_copy(
        update={"matching": settings.matching.model_copy(update=ALL_SHOWN)}
    )
    file = world.folder / "judgements.jsonl"
    events = zip(asked, await match_all(asked, everything), strict=True)
    write_judgements(judge(events, truth, world.look_pictures), file)
    fitted = await calibrate_judged(settings, file)
    await measure("judged")
    for name, held in (("before", fitted.held_out_before), ("held out", fitted.held_out)):
        item = estimate_calibration((one.picture, one.item, one.is_item) for one in held)
        kind = estimate_calibration((one.picture, one.kind, one.is_kind) for one in held)
        print(f"{name}, all {len(held)} judged pairs: item {item}, kind {kind}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=103)
    parser.add_argument("--products", type=int, default=600)
    parser.add_argument("--looks", type=int, default=100)
    parser.add_argument("--judged", type=int, default=60)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        world = draw_world(
            folder / "world",
            seed=arguments.seed,
            products=arguments.products,
            looks=arguments.looks,
        )
        settings = settings_in(folder, vlm={"kind": "none"}, matching={"cache_seconds": 0})
        updates = FileTopic(settings.topics.folder, settings.topics.updates)
        updates.create(settings.topics.partitions)
        updates.append(world.packet_records())
        run_flow("catalog", settings, once=True)
        try:
            asyncio.run(compare(world, settings, arguments.judged))
        finally:
            stop_left_over(settings.redis.folder)


if __name__ == "__main__":
    main()
