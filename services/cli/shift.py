"""``looksync eval --shift``: a demo's looks, shifted and matched again."""

from __future__ import annotations

import asyncio
import json
import random
from base64 import b64encode
from pathlib import Path

from PIL import Image
from rich.console import Console

from dataflows.wiring.parts import open_look_parts
from evaluation.sandbox.look_report import JudgedLayer, judge
from evaluation.sandbox.shift_report import shift_record, shift_results, shift_table
from evaluation.sandbox.shifts import SHIFTS, OriginalLook, Shift
from operators.budget import Budget
from operators.concurrency import gather_or_cancel
from operators.matching.match import match_look
from operators.matching.parts import MatchParts
from sandbox.life import LookTruth, World, open_world
from schemas.looks import ImageReference, Look, LookMatches
from schemas.settings import Settings
from services.cli.evaluate import demo_settings, uncached
from services.cli.world import progress_bars

IN_FLIGHT = 4
"""Looks matched at a time, so that models see batches."""

SECONDS_PER_LOOK = 120.0
"""No look of the suite is late: it measures quality."""


def evaluate_shifts(folder: Path, looks: int, console: Console) -> None:
    """Print the suite's table for the first ``looks`` looks of the demo in ``folder``; write
    shift.json there. Raises Misconfigured when no demo has run in ``folder``."""
    settings = uncached(demo_settings(folder))
    world = open_world(folder / "world")
    judged = asyncio.run(_match_shifts(world, settings, looks))
    results = shift_results(judged)
    (folder / "shift.json").write_text(json.dumps(shift_record(results), indent=1) + "\n")
    console.print(shift_table(results))
    console.print(f"report   {folder / 'shift.json'}", highlight=False)


async def _match_shifts(
    world: World, settings: Settings, many: int
) -> dict[str, list[JudgedLayer]]:
    truth = world.truth()
    truth = truth.model_copy(update={"looks": truth.looks[:many]})
    sent = {r.key: Look.model_validate_json(r.value) for r in world.look_event_records()}
    judged: dict[str, list[JudgedLayer]] = {}
    places = asyncio.Semaphore(IN_FLIGHT)
    async with open_look_parts(settings) as opened:
        with progress_bars() as bars:
            task = bars.add_task("shifted looks", total=len(SHIFTS) * len(truth.looks))

            async def match(number: int, shift: Shift) -> tuple[LookMatches, LookTruth]:
                look = truth.looks[number]
                other = truth.looks[(number + len(truth.looks) // 2) % len(truth.looks)]
                async with places:
                    matched = await _match(
                        shift, sent[look.look_id], look, other, world, opened.match
                    )
                bars.advance(task)
                return matched

            for shift in SHIFTS:
                found = await gather_or_cancel(match(n, shift) for n in range(len(truth.looks)))
                seen = truth.model_copy(update={"looks": tuple(look for _, look in found)})
                judged[shift.name] = judge(seen, {event.look_id: event for event, _ in found})
    return judged


async def _match(
    shift: Shift, look: Look, truth: LookTruth, other: LookTruth, world: World, parts: MatchParts
) -> tuple[LookMatches, LookTruth]:
    """The event of the shifted look, and the truth about what of it can be seen."""
    rng = random.Random(f"{shift.name}/{look.look_id}")
    shifted = shift.apply(OriginalLook(truth, _open(world, truth), _open(world, other), rng))
    image = ImageReference(data=b64encode(shifted.jpeg()), url=None)
    sent = look.model_copy(update={"image": image, "person": shifted.person})
    event = await match_look(sent, parts, Budget.of(SECONDS_PER_LOOK))
    seen = {name: layer for name, layer in truth.layers.items() if shifted.visible(layer.box)}
    hidden = truth.layers.keys() - seen.keys()
    judged = event.model_copy(
        update={"layers": tuple(m for m in event.layers if m.layer not in hidden)}
    )
    return judged, truth.model_copy(update={"layers": seen})


def _open(world: World, look: LookTruth) -> Image.Image:
    with Image.open(world.look_pictures / look.picture_file) as opened:
        return opened.convert("RGB")
