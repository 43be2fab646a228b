"""Apply the rows of all shards as the catalog flow applies its packets, and keep the checkpoint.

For each batch of applied rows, in this order: publish the changes, store the refused rows, replace
the checkpoint. A kill at any moment loses nothing: what the checkpoint does not hold is applied
again, and the ledger makes of that either nothing or the same change. Only pictures whose ledger
entry was not written yet are embedded again, at most as many as packets are in flight.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import structlog
from structlog.contextvars import bound_contextvars

from dataflows.jobs.bulk.checkpoint import FILE as CHECKPOINT
from dataflows.jobs.bulk.checkpoint import Checkpoint
from dataflows.jobs.bulk.readers import Chunk
from dataflows.jobs.bulk.rejected import Rejected, store_rejected
from dataflows.jobs.bulk.shards import Progress
from dataflows.jobs.bulk.status import Status
from operators.catalog.apply import Applied, apply_packet
from operators.catalog.feeds.read import ReadPacket, RejectedRow, SkippedRow
from operators.catalog.parts import CatalogParts
from operators.durable_files import replace_durably
from operators.streaming.engine.call_policy import CallPolicy
from operators.streaming.engine.keyed_calls import KeyedCalls
from operators.streaming.engine.outcomes import Done, Failed, Outcome, Withdrawn
from schemas.base import encode
from schemas.errors import LookSyncError, Misconfigured, MustStop, Unavailable
from schemas.records import Record

READ_AHEAD = 2000
"""Rows of a shard after the checkpoint's position that may be begun. More than are applied between
two checkpoints, and few enough that a start after a kill soon has them behind it."""

COMMIT_SECONDS = 1.0
"""Between two checkpoints. Each costs a few flushes to the disk."""

DEADLINE_SECONDS = 600.0
"""Of a packet, as many are in flight: on a slow CPU the encoder needs minutes for all of them."""

log = structlog.get_logger()


class ChangeWriter(Protocol):
    """The only writer of the catalog's products and of catalog.changes."""

    def check(self) -> None:
        """Raises Misconfigured when another one has taken over, Unavailable when that is unknown
        at present."""
        ...

    def publish(self, records: Sequence[Record]) -> None:
        """Append to catalog.changes, durably. May block; raises Unavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a shard."""

    shard: int
    number: int
    """From 0."""
    read: ReadPacket


@dataclass(slots=True)
class Finished:
    """Rows whose changes are not published, or that are not in the checkpoint."""

    done: list[Done[Row, Applied]] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    skipped: list[tuple[int, int]] = field(default_factory=list)
    """Shard and number of rows that are not products."""


class BulkRun:
    """One start of a job. Use it on one event loop, once."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        folder: Path,
        parts: CatalogParts,
        writer: ChangeWriter,
        window: int,
    ) -> None:
        self._checkpoint = checkpoint
        self._folder = folder
        self._parts = parts
        self._writer = writer
        self._window = window
        self._progress = [Progress(s.position, s.beyond) for s in checkpoint.shards]
        ahead = 0 if checkpoint.settled else READ_AHEAD
        self._begun_before = [s.position + ahead for s in checkpoint.shards]
        """Rows from here on were not begun by an earlier start."""
        self._ends: dict[int, int] = {}
        """Shard -> number of its rows, once all have been handed over."""
        ended = [(n, state) for n, state in enumerate(checkpoint.shards) if state.ended]
        self._rows = {number: state.position for number, state in ended}
        self._bytes = {number: state.shard.size for number, state in ended}
        """Shard -> rows and bytes that have been read."""
        self._finished = Finished()
        self._unfinished = 0
        self._failure: BaseException | None = None
        self._changed = asyncio.Event()
        self._since = time.monotonic()
        self._seconds_before = checkpoint.seconds
        policy = CallPolicy(window, DEADLINE_SECONDS, attempts=3)
        self._calls = KeyedCalls(
            self._apply, lambda row: row.read.packet.key, policy, asyncio.get_running_loop()
        )

    @property
    def status(self) -> Status:
        tally = self._checkpoint.tally
        waits = self._calls.waits
        return Status(tally.rows, self._expected_rows(), tally.embeddings, waits)

    def _expected_rows(self) -> int | None:
        sizes = [state.shard.size for state in self._checkpoint.shards]
        read_bytes = sum(self._bytes.values())
        return round(sum(self._rows.values()) * sum(sizes) / read_bytes) if read_bytes else None

    async def run(
        self, chunks: AsyncGenerator[Chunk], stop: asyncio.Event, show: Callable[[Status], None]
    ) -> None:
        """Apply the rows of ``chunks``; with ``stop`` set, finish those that have begun.

        Raises Misconfigured or Unavailable; the job may then be started again.
        """
        ended = asyncio.Event()
        committing = asyncio.create_task(self._commit_until(ended, show))
        committing.add_done_callback(self._note_end)
        try:
            async with aclosing(chunks):
                async for chunk in chunks:
                    await self._take(chunk, stop)
                    if stop.is_set():
                        break
            await self._wait_until(lambda: self._unfinished == 0)
        except BaseException:
            self._calls.stop_starting()
            ended.set()
            await asyncio.gather(committing, return_exceptions=True)
            raise
        ended.set()
        await committing
        self._checkpoint.settled = self._settled
        self._checkpoint.finished = all(state.ended for state in self._checkpoint.shards)
        self._checkpoint.save(self._folder)

    @property
    def _settled(self) -> bool:
        """Whether every row that any start began is done."""
        return all(
            state.ended or progress.position >= begun
            for state, progress, begun in zip(
                self._checkpoint.shards, self._progress, self._begun_before, strict=True
            )
        )

    async def _take(self, chunk: Chunk, stop: asyncio.Event) -> None:
        progress = self._progress[chunk.shard]
        for number, read in enumerate(chunk.rows, chunk.first):
            if progress.is_done(number):
                continue
            if isinstance(read, RejectedRow):
                self._finished.rejected.append(self._rejected(chunk.shard, number, read))
                continue
            if isinstance(read, SkippedRow):
                self._finished.skipped.append((chunk.shard, number))
                continue
            await self._wait_until(lambda: self._may_begin(progress, number))  # noqa: B023
            if stop.is_set():
                return
            self._unfinished += 1
            self._calls.submit(Row(chunk.shard, number, read), self._report)
        self._bytes[chunk.shard] = chunk.bytes_read
        self._rows[chunk.shard] = chunk.first + len(chunk.rows)
        if chunk.ended:
            self._ends[chunk.shard] = self._rows[chunk.shard]
            self._checkpoint.shards[chunk.shard].problem = chunk.problem

    def _may_begin(self, progress: Progress, number: int) -> bool:
        # After a kill, the rows that had begun are among those near the saved position.
        return number - progress.saved < READ_AHEAD and self._unfinished < 2 * self._window

    async def _apply(self, row: Row) -> Applied:
        try:
            self._writer.check()
        except Misconfigured as taken_over:
            raise MustStop(str(taken_over)) from taken_over
        position = f"bulk-index.{self._checkpoint.run}/{row.shard}/{row.number}"
        with bound_contextvars(product=row.read.packet.key):
            return await apply_packet(row.read.packet, position, self._parts)

    def _report(self, outcome: Outcome[Row, Applied]) -> None:
        assert not isinstance(outcome, Withdrawn), "no other process has these rows"
        self._unfinished -= 1
        if isinstance(outcome, Done):
            self._finished.done.append(outcome)
        elif isinstance(outcome.error, MustStop):
            self._failure = self._failure or outcome.error
        else:
            self._finished.rejected.append(self._refusal(outcome))
        self._changed.set()

    def _note_end(self, committing: asyncio.Task[None]) -> None:
        if not committing.cancelled():
            self._failure = self._failure or committing.exception()
            self._changed.set()

    async def _wait_until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()
            if self._failure is not None:
                raise self._failure
        if self._failure is not None:
            raise self._failure

    async def _commit_until(self, ended: asyncio.Event, show: Callable[[Status], None]) -> None:
        """Commit about once a second, and once more when the run has ended."""
        last = False
        while not last:
            with suppress(TimeoutError):
                async with asyncio.timeout(COMMIT_SECONDS):
                    await ended.wait()
            last = ended.is_set()
            await self._commit()
            show(self.status)

    async def _commit(self) -> None:
        """Publish, store and note what has finished since the last commit."""
        finished, self._finished = self._finished, Finished()
        changes = [
            Record(outcome.item.read.packet.key, encode(outcome.value.change))
            for outcome in finished.done
            if outcome.value.change is not None
        ]
        while changes:
            try:
                await asyncio.to_thread(self._writer.publish, changes)
                break
            except Unavailable as error:
                log.warning("changes not published, trying again", error=str(error))
                await asyncio.sleep(COMMIT_SECONDS)
        checkpoint = self._checkpoint
        checkpoint.rejected_bytes = await asyncio.to_thread(
            store_rejected, self._folder, checkpoint.rejected_bytes, finished.rejected
        )
        self._count(finished)
        for state, progress in zip(checkpoint.shards, self._progress, strict=True):
            state.position, state.beyond = progress.position, progress.beyond
        for shard, end in self._ends.items():
            checkpoint.shards[shard].ended = self._progress[shard].position == end
        checkpoint.seconds = self._seconds_before + time.monotonic() - self._since
        path = self._folder / CHECKPOINT
        await asyncio.to_thread(replace_durably, path, checkpoint.encode())
        for progress in self._progress:
            progress.saved = progress.position
        self._changed.set()

    def _count(self, finished: Finished) -> None:
        tally = self._checkpoint.tally
        for outcome in finished.done:
            self._progress[outcome.item.shard].mark(outcome.item.number)
            tally.decisions[outcome.value.decision.value] += 1
            tally.embeddings += outcome.value.embeddings
            tally.notes.update(f"{note.field}: {note.reason}" for note in outcome.value.notes)
            if outcome.value.picture_pending is not None:
                tally.pending[outcome.value.picture_pending] += 1
        for rejected in finished.rejected:
            self._progress[rejected.shard].mark(rejected.number)
            tally.refused[rejected.row.reason] += 1
        for shard, number in finished.skipped:
            self._progress[shard].mark(number)
            tally.skipped += 1

    def _refusal(self, failed: Failed[Row]) -> Rejected:
        """A row that the catalog flow would make a dead letter."""
        row, reason = failed.item.read, "unexpected"
        if isinstance(failed.error, LookSyncError):
            reason = failed.error.reason
        else:
            log.error("row not applied", line=row.line, exc_info=failed.error)
        rejected = RejectedRow(row.line, reason, str(failed.error), row.packet.payload)
        return self._rejected(failed.item.shard, failed.item.number, rejected)

    def _rejected(self, shard: int, number: int, row: RejectedRow) -> Rejected:
        return Rejected(shard, number, self._checkpoint.shards[shard].shard.path, row)
