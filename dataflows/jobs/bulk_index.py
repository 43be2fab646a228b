"""``looksync jobs bulk-index``: apply whole files to the catalog without a topic in between.

    read      processes read the shards and check the rows (bulk/readers.py)
    apply     the catalog flow's own apply_packet, many at a time (bulk/run.py)
    publish   the same changes on catalog.changes (bulk/writer.py)
    note      the checkpoint (bulk/checkpoint.py)

No catalog flow runs meanwhile. A start after a kill goes on where the job was.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from dataflows.jobs.bulk.checkpoint import Checkpoint
from dataflows.jobs.bulk.readers import Assignment, Feed, read_shards
from dataflows.jobs.bulk.run import BulkRun, ChangeWriter
from dataflows.jobs.bulk.shards import find_shards
from dataflows.jobs.bulk.stages import timed
from dataflows.jobs.bulk.status import Status
from dataflows.jobs.bulk.writer import change_writer, keep_catalog_stopped
from dataflows.wiring.parts import open_catalog_parts
from operators.catalog.mapping import Mapping
from schemas.settings import Settings
from schemas.settings.base import BatchSettings

PICTURES_PER_CALL = 64
"""Of the encoder: twice the flow's, which keeps its batches small so that no packet waits long."""
WRITES_PER_CALL = 512
"""Of the index: one flush to the disk, or one request, for several calls of the encoder."""
WINDOW = 4
"""Packets in flight, in batches of the encoder: one in it, one prepared, two being fetched or
written."""
MOST_READERS = 4
"""Processes. One reads and checks several thousand rows a second, far more than are embedded."""

Show = Callable[[Status], None]


@dataclass(frozen=True, slots=True)
class BulkJob:
    """What to index, and where the job keeps its state."""

    mapping: Mapping
    paths: Sequence[Path]
    folder: Path


@dataclass(frozen=True, slots=True)
class BulkReport:
    """The result of one start."""

    checkpoint: Checkpoint
    seconds: float
    """Of this start, without the loading of the model."""
    rows: int
    """Done by this start."""
    embeddings: int
    """Made by this start."""
    stages: dict[str, float]
    """Stage -> packets that were in it at a time, on average."""


def bulk_index(settings: Settings, job: BulkJob, show: Show) -> BulkReport:
    """Index the job's files, or go on with it; blocking. Call it in the main thread.

    SIGINT and SIGTERM end it in order: the packets in flight are finished. ``show`` is called with
    once a second where it stands. Raises Misconfigured or Unavailable; it may then be run again.
    """
    settings, shards = with_large_batches(settings), find_shards(job.paths)
    with keep_catalog_stopped(settings, job.folder):
        now = time.time_ns() // 1000
        checkpoint = Checkpoint.resume_or_begin(job.folder, job.mapping.vendor, shards, now)
        checkpoint.save(job.folder)  # before anything is claimed in its name
        with change_writer(settings, checkpoint, job.folder) as writer:
            return asyncio.run(_index(settings, job, checkpoint, writer, show))


def with_large_batches(settings: Settings) -> Settings:
    """``settings`` for throughput instead of short waits."""
    images, writes = settings.encoder.images, settings.index.writes
    return settings.model_copy(
        update={
            "encoder": settings.encoder.model_copy(
                update={"images": _at_least(images, PICTURES_PER_CALL)}
            ),
            "index": settings.index.model_copy(
                update={"writes": _at_least(writes, WRITES_PER_CALL)}
            ),
        }
    )


def _at_least(batches: BatchSettings, size: int) -> BatchSettings:
    return batches.model_copy(update={"max_size": max(batches.max_size, size)})


async def _index(
    settings: Settings, job: BulkJob, checkpoint: Checkpoint, writer: ChangeWriter, show: Show
) -> BulkReport:
    identity = job.folder / "ledger-identity"
    async with open_catalog_parts(settings, identity_file=identity) as parts:
        checkpoint.check_target(parts.encoder.fingerprint, parts.index.generation)
        before, began = checkpoint.tally.model_copy(deep=True), time.monotonic()
        seconds: dict[str, float] = {}
        window = WINDOW * settings.encoder.images.max_size
        parts = replace(timed(parts, seconds), mappings={job.mapping.vendor: job.mapping})
        run = BulkRun(checkpoint, job.folder, parts, writer, window)
        checkpoint.settled = False
        checkpoint.save(job.folder)
        feed = Feed(job.mapping, checkpoint.version)
        with _stop_on_signals() as stop:
            chunks = read_shards(_assignments(checkpoint), feed, _readers())
            await run.run(chunks, stop, show)
        spent = time.monotonic() - began
    return BulkReport(
        checkpoint=checkpoint,
        seconds=spent,
        rows=checkpoint.tally.rows - before.rows,
        embeddings=checkpoint.tally.embeddings - before.embeddings,
        stages={stage: waited / spent for stage, waited in sorted(seconds.items())},
    )


def _assignments(checkpoint: Checkpoint) -> list[Assignment]:
    """Largest first, so that no reader is left with a large one at the end."""
    open_shards = [(n, s) for n, s in enumerate(checkpoint.shards) if not s.ended]
    open_shards.sort(key=lambda numbered: -numbered[1].shard.size)
    return [Assignment(n, Path(s.shard.path), s.position) for n, s in open_shards]


def _readers() -> int:
    return max(1, min(MOST_READERS, (os.cpu_count() or 1) - 1))


@contextmanager
def _stop_on_signals() -> Iterator[asyncio.Event]:
    """An event that the first SIGINT or SIGTERM sets; a second one kills the process at once."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)

    def end() -> None:
        stop.set()
        for number in numbers:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    for number in numbers:
        loop.add_signal_handler(number, end)
    try:
        yield stop
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
