"""``looksync eval``: the flows' output, evaluated against the truth of a drawn world."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from dataflows.wiring.parts import open_catalog_parts, open_look_parts
from evaluation.sandbox.catalog_report import Counts, catalog_report
from evaluation.sandbox.gallery import write_gallery
from evaluation.sandbox.look_report import look_report
from evaluation.sandbox.recording_model import CountingModel
from evaluation.sandbox.report import Report
from evaluation.sandbox.table import Variant, ablation_table, report_table
from operators.budget import Budget
from operators.catalog.coverage import coverage, coverage_table, kept_out
from operators.matching.match import match_look
from operators.matching.parts import MatchParts
from operators.streaming.files.topic import FileTopic
from sandbox.life import World, open_world
from schemas.catalog import LedgerEntry
from schemas.errors import Misconfigured
from schemas.looks import Look
from schemas.records import Record
from schemas.rerank import RerankMethod
from schemas.settings import Settings, VlmSettings, load_settings

_UNREACHABLE_URL = "http://127.0.0.1:9/v1"
"""An address without a model server (the discard port)."""

TABLE_WIDTH = 140
"""Of the ablations' table, in characters."""

JUDGED = (5, 10, 20)
"""Numbers of products that the model judges in the ablation of them."""

REPORT = "report.json"

COUNTS = "counts.json"
"""Counters by flow; no topic has them."""


def write_counts(folder: Path, flow: str, counts: Mapping[str, object]) -> None:
    """Store the counters of ``flow`` for later evaluations."""
    path = folder / COUNTS
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps({**known, flow: counts}, indent=1), encoding="utf-8")


def evaluate_folder(folder: Path, console: Console) -> int:
    """Evaluate a demo again. Raises Misconfigured when none has run in ``folder``."""
    settings = demo_settings(folder)
    seconds = json.loads((folder / REPORT).read_text(encoding="utf-8"))["seconds"]
    return judge(folder, settings, console, seconds=seconds)


def demo_settings(folder: Path) -> Settings:
    """The settings of the demo in ``folder``. Raises Misconfigured when none has run there, or when
    its world has changed since."""
    if not (folder / REPORT).exists():
        raise Misconfigured(f"{folder} holds no finished demo; run `looksync demo` first")
    if open_world(folder / "world").lives_on:
        raise Misconfigured(
            f"the world in {folder} has gone on since its demo (`looksync shop`), so its truth is "
            "no longer that of the topics; run `looksync demo` again, or with another --folder"
        )
    return load_settings(folder / "looksync.toml")


def uncached(settings: Settings) -> Settings:
    """``settings`` without the caches of results and of the model's answers."""
    update = {"cache_seconds": 0.0}
    return settings.model_copy(
        update={
            "matching": settings.matching.model_copy(update=update),
            "vlm": settings.vlm.model_copy(update=update),
        }
    )


def judge(folder: Path, settings: Settings, console: Console, *, seconds: float) -> int:
    """Write report.json and gallery.html, print the figures; 0 when all guarantees held."""
    world = open_world(folder / "world")
    report = asyncio.run(_report(folder, world, settings, seconds))
    (folder / REPORT).write_text(report.to_json() + "\n", encoding="utf-8")
    gallery = folder / "gallery.html"
    write_gallery(gallery, world, report, _records(settings, settings.topics.matches))
    console.print(report_table(report))
    console.print(f"gallery  {gallery}\nreport   {folder / REPORT}", highlight=False)
    address = f"http://{settings.api.address}:{settings.api.port}/"
    console.print(
        f"shop     {address} once `looksync shop --folder {folder}` runs",
        highlight=False,
        soft_wrap=True,
    )
    for failure in report.failures():
        console.print(f"[bold red]FAILED[/] {failure}", highlight=False)
    return 1 if report.failures() else 0


async def _report(folder: Path, world: World, settings: Settings, seconds: float) -> Report:
    topics = settings.topics
    counts: dict[str, Any] = json.loads((folder / COUNTS).read_text(encoding="utf-8"))
    truth = world.truth()
    async with open_catalog_parts(settings) as parts:
        catalog = await catalog_report(
            truth,
            parts.index,
            parts.ledger,
            changes=_records(settings, topics.changes),
            dead_letters=_records(settings, topics.dead_letters(topics.updates)),
            counts=Counts(counts["catalog"]["decisions"], counts["catalog"]["embeddings"]),
        )
    looks = look_report(
        truth,
        _records(settings, topics.matches),
        _records(settings, topics.dead_letters(topics.looks)),
    )
    return Report(world.seed, world.products, seconds, catalog, looks)


def _records(settings: Settings, name: str) -> Iterator[Record]:
    topic = FileTopic(settings.topics.folder, name)
    for partition in range(topic.partitions):
        yield from topic.read(partition)


def print_ways(folder: Path, console: Console) -> None:
    """Print the demo's figures for each way of matching. Raises Misconfigured when no demo has run
    in ``folder``."""
    asyncio.run(_print_variants(folder, _ways(demo_settings(folder)), console))


def print_candidates(folder: Path, console: Console) -> None:
    """The same for some numbers of products that the model judges. Raises Misconfigured also when
    no model judges products."""
    settings = demo_settings(folder)
    if settings.vlm.kind == "none" or not settings.matching.rerank.asks_model:
        raise Misconfigured("no model judges products: see vlm.kind and matching.rerank")
    variants = {
        f"{many} judged": _changed(settings, settings.vlm, rerank_candidates=many)
        for many in JUDGED
    }
    asyncio.run(_print_variants(folder, variants, console))


async def _print_variants(folder: Path, compared: Mapping[str, Settings], console: Console) -> None:
    """Match the same looks with each variant, in this process and without caches."""
    world = open_world(folder / "world")
    variants: dict[str, Variant] = {}
    for name, variant in compared.items():
        console.print(f"[dim]{name} ...[/]")
        variant = uncached(variant)
        async with open_look_parts(variant) as opened:
            parts = opened.match
            model = CountingModel(parts.vlm) if parts.vlm is not None else None
            started = time.process_time()
            matched = await _match_all(world, replace(parts, vlm=model), variant)
            cpu_ms = (time.process_time() - started) / len(matched) * 1000
        report = look_report(world.truth(), matched)
        calls = model.calls / len(matched) if model else 0.0
        variants[name] = Variant(report, calls, cpu_ms)
    # Wrapped lines can be read, cells cut short cannot.
    console.width = max(console.width, TABLE_WIDTH)
    console.print(ablation_table(variants))


def _changed(settings: Settings, vlm: VlmSettings, **matching: Any) -> Settings:
    return settings.model_copy(
        update={"vlm": vlm, "matching": settings.matching.model_copy(update=matching)}
    )


def _ways(settings: Settings) -> dict[str, Settings]:
    """Name -> settings of each variant.

    Without a vision-language model: each kind of query. With one, also: queries by tagger or model,
    each method of reranking, and an unreachable model server.
    """

    changed = partial(_changed, settings)
    vlm, none, unranked = settings.vlm, VlmSettings(kind="none"), RerankMethod.NONE
    kinds = ("text", "region", "fused")
    without = {
        f"tagger, {kind}, unranked": changed(none, queries=kind, rerank=unranked) for kind in kinds
    }
    without["tagger, fused, by similarity"] = changed(none, queries="fused")
    if settings.vlm.kind == "none":
        return without
    down = VlmSettings(kind="openai", url=_UNREACHABLE_URL)
    return (
        without
        | {
            f"model, {kind}, unranked": changed(vlm, queries=kind, rerank=unranked)
            for kind in kinds
        }
        | {
            f"model, fused, by {method.value}": changed(vlm, queries="fused", rerank=method)
            for method in RerankMethod
            if method is not RerankMethod.NONE
            and (method is not RerankMethod.SCORE or settings.vlm.score_url is not None)
        }
        | {"model down": changed(down)}
    )


async def _match_all(world: World, parts: MatchParts, settings: Settings) -> list[Record]:
    looks = {record.key: record for record in world.look_event_records()}
    records = []
    for key, record in looks.items():
        look = Look.model_validate_json(record.value)
        budget = Budget.of(settings.stream.looks.deadline_seconds)
        event = await match_look(look, parts, budget)
        records.append(Record(key, event.model_dump_json().encode()))
    return records


def print_coverage(settings: Settings, console: Console) -> None:
    """Print the sources of the ledger's values per vendor and attribute."""

    async def entries() -> list[LedgerEntry]:
        async with open_catalog_parts(settings) as parts:
            return [entry async for entry in parts.ledger.scan()]

    found = asyncio.run(entries())
    console.print(coverage_table(coverage(found)), highlight=False)
    for vendor, kinds in kept_out(found).items():
        named = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
        console.print(
            f"{vendor}: {kinds.total():,} kept out as not fashion ({named})", highlight=False
        )
