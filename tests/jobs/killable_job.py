"""A bulk job on doubles that can be killed between any two of its effects."""

from __future__ import annotations

import asyncio
import copy
import shutil
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from dataflows.jobs.bulk.checkpoint import Checkpoint
from dataflows.jobs.bulk.readers import Chunk
from dataflows.jobs.bulk.run import BulkRun
from dataflows.jobs.bulk.shards import Shard
from dataflows.jobs.bulk.status import Status
from operators.catalog.feeds.read import FeedRow, ReadPacket, RejectedRow, SkippedRow
from operators.catalog.parts import CatalogParts
from schemas.catalog import Packet, ProductChange
from schemas.records import Record
from tests.catalog.small_shop import Shop

WINDOW = 4

EFFECTS = ("index.upsert", "index.patch", "index.delete", "ledger.write", "publish")
"""After each of these calls a job can be killed."""


def row(packet: Packet) -> ReadPacket:
    return ReadPacket(1, packet, packet.payload, packet.payload)


def rejected(reason: str = "too-long") -> RejectedRow:
    return RejectedRow(7, reason, f"said why: {reason}", {"id": "x"})


def skipped() -> SkippedRow:
    return SkippedRow(9, {"type": "Gift card"})


class InlineExecutor(ThreadPoolExecutor):
    """Runs each call before ``submit`` returns, so that a kill falls between two effects."""

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(call(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@dataclass
class KillableJob:
    """The durable state of a shop and of the job that fills it.

    A killed start's coroutines may run a little longer; they work on the shop and in the folder of
    that start, and nobody reads these again: ``shop``, ``folder`` and ``published`` are those of
    the moment of the kill.
    """

    folder: Path
    shards: Sequence[Sequence[FeedRow]]
    shop: Shop = field(default_factory=Shop)
    published: list[ProductChange] = field(default_factory=list)
    effects: list[str] = field(default_factory=list)
    show: Callable[[Status], None] = lambda status: None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    async def start(self, kill_after: tuple[str | None, int] | None = None) -> Checkpoint | None:
        """Run the job to its end; or kill it after the n-th effect of a name (None: of any).

        The checkpoint at the end; None when the job was killed.
        """
        asyncio.get_running_loop().set_default_executor(InlineExecutor())
        process = Process(self, kill_after)
        checkpoint = self.checkpoint()
        run = BulkRun(checkpoint, self.folder, process.parts(), process, WINDOW)
        checkpoint.settled = False
        checkpoint.save(self.folder)
        chunks = self._chunks(checkpoint)
        running = asyncio.create_task(run.run(chunks, asyncio.Event(), self.show))
        killed = asyncio.create_task(process.killed.wait())
        await asyncio.wait({running, killed}, return_when=asyncio.FIRST_COMPLETED)
        if process.after_kill is None:
            killed.cancel()
            await running
            return checkpoint
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        self.shop, self.folder, self.published = process.after_kill
        return None

    def checkpoint(self) -> Checkpoint:
        shards = [
            Shard(path=f"{number}.jsonl", size=len(rows), modified_ns=1)
            for number, rows in enumerate(self.shards)
        ]
        return Checkpoint.resume_or_begin(self.folder, "shop", shards, version=1)

    async def _chunks(self, checkpoint: Checkpoint) -> AsyncGenerator[Chunk]:
        """Two rows of each shard in turn, as parallel readers hand them over."""
        positions = {n: s.position for n, s in enumerate(checkpoint.shards) if not s.ended}
        while positions:
            for number, first in list(positions.items()):
                rows = self.shards[number][first : first + 2]
                positions[number] = first + len(rows)
                ended = positions[number] == len(self.shards[number])
                yield Chunk(number, first, rows, positions[number], ended)
                if ended:
                    del positions[number]


class Process:
    """One start: the only writer of the job's shop and folder, until it is killed."""

    def __init__(self, job: KillableJob, kill_after: tuple[str | None, int] | None) -> None:
        self.killed = asyncio.Event()
        self.after_kill: tuple[Shop, Path, list[ProductChange]] | None = None
        """The durable state at the moment of the kill."""
        self._shop, self._folder, self._published = job.shop, job.folder, job.published
        self._effects = job.effects
        self._kill_after = kill_after

    def check(self) -> None:
        return None

    def publish(self, records: Sequence[Record]) -> None:
        self._published.extend(ProductChange.model_validate_json(r.value) for r in records)
        self.note("publish")

    def parts(self) -> CatalogParts:
        parts = self._shop.parts()
        return replace(
            parts,
            index=cast(Any, _Recorded(parts.index, "index", self.note)),
            ledger=cast(Any, _Recorded(parts.ledger, "ledger", self.note)),
        )

    def note(self, effect: str) -> None:
        """Call after each effect; keeps the durable state when the process is to be killed."""
        if self.after_kill is not None:
            return
        self._effects.append(effect)
        if self._kill_after is None:
            return
        name, left = self._kill_after
        if name not in (None, effect):
            return
        self._kill_after = (name, left - 1)
        if left <= 1:
            self.after_kill = self._copy_state()
            self.killed.set()

    def _copy_state(self) -> tuple[Shop, Path, list[ProductChange]]:
        shop = replace(
            self._shop,
            index=copy.copy(self._shop.index),
            ledger=copy.copy(self._shop.ledger),
            thumbnails=copy.copy(self._shop.thumbnails),
            schedule=copy.copy(self._shop.schedule),
        )
        shop.index.objects = dict(shop.index.objects)
        shop.ledger.entries = dict(shop.ledger.entries)
        shop.ledger.writes = list(shop.ledger.writes)
        shop.thumbnails.pictures = dict(shop.thumbnails.pictures)
        shop.schedule.due = dict(shop.schedule.due)
        folder = self._folder.with_name(f"{self._folder.name}-")
        shutil.copytree(self._folder, folder)
        return shop, folder, list(self._published)


class _Recorded:
    """A part that records its effects."""

    def __init__(self, part: Any, name: str, note: Callable[[str], None]) -> None:
        self._part = part
        self._name = name
        self._note = note

    def __getattr__(self, method: str) -> Any:
        found = getattr(self._part, method)
        effect = f"{self._name}.{method}"
        if effect not in EFFECTS:
            return found

        async def call(*arguments: Any) -> Any:
            result = await found(*arguments)
            self._note(effect)
            await asyncio.sleep(0)  # let other calls in flight proceed
            return result

        return call
