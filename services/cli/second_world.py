"""``looksync eval --second-world``: quality on pictures by another hand than the training ones."""

from __future__ import annotations

import asyncio
import json
import tempfile
from functools import partial
from pathlib import Path

from rich.console import Console

from dataflows.wiring.parts import open_catalog_parts, open_look_parts
from evaluation.sandbox.second_world import index_second_world, match_second_world
from evaluation.sandbox.second_world_report import (
    SecondWorldReport,
    second_world_report,
    second_world_tables,
)
from sandbox.second_world import SecondWorld
from schemas.errors import Misconfigured
from schemas.settings import (
    IndexSettings,
    RedisSettings,
    Settings,
    ThumbnailSettings,
    VlmSettings,
)
from services.cli.evaluate import uncached
from services.cli.world import progress_bars

REPORT = Path("var/second-world.json")


def evaluate_second_world(
    settings: Settings, world: SecondWorld, *, with_model: bool, console: Console
) -> None:
    """Print the figures of ``world`` and write them to REPORT.

    Encoder and matching are those of ``settings``, the stores are temporary. ``with_model``: match
    with the vision-language model, too. Raises Misconfigured when there is none.
    """
    if with_model and settings.vlm.kind == "none":
        raise Misconfigured("--model needs a vision-language model: set vlm.kind")
    with tempfile.TemporaryDirectory(prefix="looksync-") as scratch:
        roads = asyncio.run(_match(_in_folder(settings, Path(scratch)), world, with_model))
    record = {
        "seed": world.seed,
        "products": len(world.products),
        "looks": len(world.looks),
        "roads": {road: report.record() for road, report in roads.items()},
    }
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    console.print(second_world_tables(roads))
    console.print(f"report   {REPORT}", highlight=False)


def _in_folder(settings: Settings, scratch: Path) -> Settings:
    """``settings`` with embedded stores in ``scratch`` and without caches."""
    return uncached(settings).model_copy(
        update={
            "index": IndexSettings(kind="sqlite", path=scratch / "index.sqlite"),
            "redis": RedisSettings(kind="embedded", folder=scratch / "valkey"),
            "thumbnails": ThumbnailSettings(url=str(scratch / "thumbnails")),
            "images": settings.images.model_copy(update={"http_cache": None}),
        }
    )


async def _match(
    settings: Settings, world: SecondWorld, with_model: bool
) -> dict[str, SecondWorldReport]:
    without_model = settings.model_copy(update={"vlm": VlmSettings(kind="none")})
    roads = {"tagger": without_model, **({"model": settings} if with_model else {})}
    reports: dict[str, SecondWorldReport] = {}
    with progress_bars() as bars:
        indexing = bars.add_task("indexing products", total=len(world.products))
        async with open_catalog_parts(without_model) as catalog:
            await index_second_world(world, catalog, partial(bars.advance, indexing))
        for road, chosen in roads.items():
            matching = bars.add_task(f"looks by {road}", total=len(world.looks))
            async with open_look_parts(chosen) as opened:
                layers = await match_second_world(
                    world, opened.match, partial(bars.advance, matching)
                )
                trained = opened.match.calibration.departments
            reports[road] = second_world_report(layers, trained)
    return reports
