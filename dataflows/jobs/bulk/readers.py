"""Processes that read shards and check each row against the vendor's mapping.

A reader waits until its rows are taken, and ends when its pipe breaks: the job was killed.
"""

from __future__ import annotations

import asyncio
import io
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

from operators.catalog.feeds.read import FeedRow, read_feed
from operators.catalog.feeds.source import FeedSource
from operators.catalog.mapping import Mapping
from schemas.errors import InvalidFile, LookSyncError, Misconfigured, Unavailable

ROWS = 100
"""Per message: a few hundred kilobytes at most vendors."""

QUEUED = 4
"""Messages that wait for the job, so that it never waits for a reader that keeps up."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of one shard, in order."""

    shard: int
    first: int
    """Number of the first row, from 0."""
    rows: Sequence[FeedRow]
    bytes_read: int
    """Of the file, compressed as it is."""
    ended: bool = False
    """This is the shard's last chunk."""
    problem: str | None = None
    """Why reading stopped before the end of the shard."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """A shard to be read from row ``begin``."""

    shard: int
    path: Path
    begin: int


@dataclass(frozen=True, slots=True)
class Feed:
    """How the vendor's files are read."""

    mapping: Mapping
    version: int
    """Given to rows that have none."""


async def read_shards(
    shards: Sequence[Assignment], feed: Feed, processes: int
) -> AsyncGenerator[Chunk]:
    """The rows of all ``shards``, ``processes`` of them at a time.

    Raises Misconfigured when the mapping cannot read files, Unavailable when a process dies.
    """
    waiting = deque(shards)
    chunks: asyncio.Queue[Chunk | LookSyncError | None] = asyncio.Queue(QUEUED)
    readers = [_start_reader(feed) for _ in range(min(processes, len(shards)))]
    threads = ThreadPoolExecutor(max(1, len(readers)), "shard-reader")

    async def drive(connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        while waiting:
            connection.send(waiting.popleft())
            ended = False
            while not ended:
                try:
                    received = await loop.run_in_executor(threads, connection.recv)
                except (EOFError, OSError) as error:
                    raise Unavailable(
                        "a process that read shards has died; start the job again",
                        reason="shard-reader",
                    ) from error
                if isinstance(received, Misconfigured):
                    raise received
                await chunks.put(received)
                ended = received.ended

    async def drive_all() -> None:
        end: LookSyncError | None = None
        try:
            async with asyncio.TaskGroup() as group:
                for _, connection in readers:
                    group.create_task(drive(connection))
        except* LookSyncError as errors:
            end = next(error for error in errors.exceptions if isinstance(error, LookSyncError))
        await chunks.put(end)

    driving = asyncio.create_task(drive_all())
    try:
        while isinstance(chunk := await chunks.get(), Chunk):
            yield chunk
        if chunk is not None:
            raise chunk
    finally:
        driving.cancel()
        for process, connection in readers:
            process.kill()
            process.join()
            connection.close()
        with suppress(asyncio.CancelledError):
            await driving
        threads.shutdown()


def _start_reader(feed: Feed) -> tuple[SpawnProcess, Connection]:
    context = multiprocessing.get_context("spawn")  # a fork would copy torch's threads' locks
    ours, theirs = context.Pipe()
    process = context.Process(target=_read_assignments, args=(theirs, feed), daemon=True)
    process.start()
    theirs.close()  # so that the pipe breaks when one side dies
    return process, ours


def _read_assignments(connection: Connection, feed: Feed) -> None:
    """The body of a reader's process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the job decides when to stop
    os.nice(5)  # the encoder needs the cores more
    with suppress(EOFError, OSError):
        while True:
            assignment: Assignment = connection.recv()
            try:
                for chunk in read_shard(assignment, feed.mapping, feed.version):
                    connection.send(chunk)
            except Misconfigured as error:
                connection.send(error)


def read_shard(assignment: Assignment, mapping: Mapping, version: int) -> Iterator[Chunk]:
    """The shard's rows from its assignment's on, the last chunk marked as such."""
    files: list[io.FileIO] = []

    def open_file(path: Path) -> io.FileIO:
        files.append(io.FileIO(path))
        return files[-1]

    def chunk(rows: Sequence[FeedRow], problem: str | None = None) -> Chunk:
        ended = len(rows) < ROWS
        read = size if ended or files[0].closed else files[0].tell()
        return Chunk(assignment.shard, first, rows, read, ended, problem)

    first, size = assignment.begin, assignment.path.stat().st_size
    source = FeedSource(str(assignment.path), assignment.path, open_file=open_file)
    try:
        rows = islice(read_feed(source, mapping, version), assignment.begin, None)
        while True:
            taken: list[FeedRow] = []
            try:
                taken.extend(islice(rows, ROWS))
            except InvalidFile as error:
                # ``taken`` has the rows before the place where the file breaks off.
                yield Chunk(assignment.shard, first, taken, size, True, str(error))
                return
            yield chunk(taken)
            if len(taken) < ROWS:
                return
            first += len(taken)
    except InvalidFile as error:
        yield Chunk(assignment.shard, first, [], size, True, str(error))
