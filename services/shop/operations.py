"""What the operator page shows: flows, dead letters, feed runs, coverage, the last evaluation."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from dataflows.wiring.letters import Letters
from evaluation.sandbox.report import TARGETS
from evaluation.sandbox.table import LABELS
from operators.catalog.coverage import FieldCoverage, coverage
from operators.stores.redis.feed_runs import RedisFeedRuns
from operators.stores.redis.pauses import RedisPauses
from operators.streaming.dead_letters import Tally, tally
from schemas.errors import LookSyncError
from schemas.feed_runs import FeedRun
from schemas.health import FlowHealth
from services.api.context import Api
from services.flow_state import FLOWS, Flow, health_of, in_words, report_of

RUNS_SHOWN = 20
COVERED = 20_000
"""Products that coverage is counted of; all of a large catalog would take minutes."""

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class FlowView:
    """A flow."""

    name: Flow
    paused: str | None
    """Why; None: it is not."""
    health: FlowHealth | None
    status: str
    """In words."""
    problems: tuple[str, ...]

    @property
    def well(self) -> bool:
        """Whether nothing keeps it from working, as far as can be seen from here."""
        seen = self.health is None or self.health.ready
        return seen and not self.problems and self.paused is None


@dataclass(frozen=True, slots=True)
class LettersView:
    """The dead letters of one topic."""

    topic: str
    counts: Tally


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the evaluation, with its 95 % interval."""

    name: str
    value: float
    low: float
    high: float
    n: int
    target: str
    met: bool | None
    """None: it has no target."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The last evaluation."""

    at: datetime
    products: int
    looks: int
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """A part of the page that could not be read."""

    why: str


async def read_or_say(reading: Awaitable[Found]) -> Found | Failed:
    """What is read, or why it cannot be: one failing server must not hide the others."""
    try:
        return await reading
    except LookSyncError as error:
        return Failed(str(error))


async def read_flows(api: Api) -> list[FlowView]:
    """Both flows. Raises Misconfigured or Unavailable."""
    return list(await asyncio.gather(*(_flow(name, api) for name in FLOWS)))


async def _flow(name: Flow, api: Api) -> FlowView:
    paused = await RedisPauses(api.parts.redis).reason(name)
    health = await asyncio.to_thread(health_of, name, api.settings)
    report = await asyncio.to_thread(report_of, name, api.settings)
    status = "no process answers on this host"
    if health is not None:
        status = f"the process on this host {in_words(health)}"
    if report is not None:
        status = f"{report.summary}; {status}"
    return FlowView(name, paused, health, status, report.problems if report else ())


async def read_letters(api: Api) -> list[LettersView]:
    """The dead letters of both flows. Raises Misconfigured, Unavailable or InvalidRecord."""
    topics = api.settings.topics

    def read(name: str) -> LettersView:
        letters = Letters.of(topics, name)
        return LettersView(name, tally(letters.read(), letters.settled()))

    names = (topics.updates, topics.looks)
    return [await asyncio.to_thread(read, name) for name in names]


async def read_runs(api: Api) -> list[FeedRun]:
    """The latest feed runs. Raises Unavailable or Misconfigured."""
    return await RedisFeedRuns(api.parts.redis).latest(RUNS_SHOWN)


async def read_coverage(api: Api) -> tuple[int, list[tuple[str, list[FieldCoverage]]]]:
    """Of at most COVERED products: how many, and the fields of each vendor. Raises Unavailable."""
    entries = []
    async for entry in api.parts.match.ledger.scan():
        entries.append(entry)
        if len(entries) == COVERED:
            break
    rows = await asyncio.to_thread(coverage, entries)
    by_vendor = groupby(rows, key=lambda row: row.vendor)
    return len(entries), [(vendor, list(fields)) for vendor, fields in by_vendor]


def read_evaluation(path: Path | None) -> Evaluation | None:
    """The report at ``path``; None when there is none yet, or when it cannot be read."""
    if path is None:
        return None
    try:
        report = json.loads(path.read_bytes())
        return Evaluation(
            at=datetime.fromtimestamp(path.stat().st_mtime, UTC),
            products=int(report["products"]),
            looks=int(report["looks"]["requested"]),
            figures=tuple(
                _figure(name, label, report["quality"][name])
                for name, label in LABELS.items()
                if name in report["quality"]
            ),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _figure(name: str, label: str, found: dict[str, float]) -> Figure:
    target, met = "", None
    if name in TARGETS:
        sign, bound = TARGETS[name]
        target = f"{'at least' if sign == '>=' else 'at most'} {bound:g}"
        met = found["value"] >= bound if sign == ">=" else found["value"] <= bound
    return Figure(label, found["value"], found["low"], found["high"], int(found["n"]), target, met)
