"""The embedded vector store: exact search in one SQLite file, shared by several processes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Self

import apsw
import numpy as np

from operators.batcher import MicroBatcher
from operators.ports import Candidate, Filters, IndexedAttributes, Vector
from operators.stores.index_writes import Delete, Patch, Upsert, Write, validate_vector
from operators.stores.sqlite.rows import ATTRIBUTE_COLUMNS, from_row, to_condition, to_row
from operators.stores.sqlite.schema import (
    connect,
    ensure_collection,
    require_same_file,
    translate_errors,
)
from schemas.errors import Misconfigured, Unavailable
from schemas.settings import BatchSettings

READERS = 2
"""Concurrent searches per process, each in a thread with its own connection. An exact search is
CPU-bound, so more threads would only compete for the cores."""

SCAN_PAGE = 1_000
"""Rows per read of a scan. Long reads would keep SQLite from checkpointing the write-ahead log."""

_NAMES = ", ".join(ATTRIBUTE_COLUMNS)
_MARKS = ", ".join("?" * len(ATTRIBUTE_COLUMNS))
_ASSIGNMENTS = ", ".join(f"{name} = ?" for name in ATTRIBUTE_COLUMNS)
_REPLACEMENTS = ", ".join(f"{name} = excluded.{name}" for name in ATTRIBUTE_COLUMNS)

PUT_PRODUCT = (
    f"INSERT INTO products(key, {_NAMES}) VALUES(?, {_MARKS}) "
    f"ON CONFLICT(key) DO UPDATE SET {_REPLACEMENTS} RETURNING id"
)
PUT_VECTOR = (
    "INSERT INTO vectors(id, vector) VALUES(?, ?) "
    "ON CONFLICT(id) DO UPDATE SET vector = excluded.vector"
)
PATCH_PRODUCT = f"UPDATE products SET {_ASSIGNMENTS} WHERE key = ?"
DELETE_PRODUCT = "DELETE FROM products WHERE key = ?"
# The inner query sorts ids only; attributes and vectors are read for the nearest ones.
SEARCH = (
    "WITH nearest AS MATERIALIZED ("
    "SELECT id, key, vec_distance_cosine(vector, ?) AS distance "
    "FROM products JOIN vectors USING(id) WHERE {condition} ORDER BY distance, key LIMIT ?) "
    f"SELECT nearest.key, distance, vector, {_NAMES} "
    "FROM nearest JOIN products USING(id) JOIN vectors USING(id) ORDER BY distance, nearest.key"
)
GET = f"SELECT vector, {_NAMES} FROM products JOIN vectors USING(id) WHERE key = ?"
COUNT = "SELECT count(*) FROM products"
SCAN = f"SELECT id, key, {_NAMES} FROM products WHERE id > ? ORDER BY id LIMIT {SCAN_PAGE}"


class SqliteIndex:
    """A :class:`operators.ports.VectorStore`; concurrent writes share a transaction.

    Writes run in one thread, searches in others; SQLite locks out other processes' writers during a
    transaction. Writes are applied in the order of submission.
    """

    def __init__(
        self,
        path: Path,
        *,
        generation: str,
        dimension: int,
        connections: Sequence[apsw.Connection],
        writes: BatchSettings,
        observe: Callable[[int, float], None] | None,
    ) -> None:
        """``connections``: the writer's, then the readers'. Use :meth:`open`."""
        self._path = path
        self._file = os.stat(path)
        self._generation = generation
        self._dimension = dimension
        self._connections = connections
        self._writer = connections[0]
        self._idle_readers: SimpleQueue[apsw.Connection] = SimpleQueue()
        for reader in connections[1:]:
            self._idle_readers.put(reader)
        self._write_thread = ThreadPoolExecutor(1, "index-write")
        self._read_threads = ThreadPoolExecutor(len(connections) - 1, "index-read")
        self._batcher = MicroBatcher[Write, bool](
            self._write_all,
            max_size=writes.max_size,
            max_wait_ms=writes.max_wait_ms,
            observe=observe,
        )

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        fingerprint: str,
        dimension: int,
        writes: BatchSettings,
        observe: Callable[[int, float], None] | None = None,
    ) -> Self:
        """Open the index in the file ``path``, or create it.

        ``fingerprint`` and ``dimension`` are the encoder's. ``observe`` receives the size of each
        write batch and how long its first write waited, in seconds. Raises IndexMismatch when the
        file was built with another encoder, Misconfigured when it cannot be used or written.
        """
        connections: list[apsw.Connection] = []
        try:
            connections.append(connect(path))
            collection = ensure_collection(
                connections[0], path, fingerprint=fingerprint, dimension=dimension
            )
            connections.extend(connect(path) for _ in range(READERS))
        except BaseException as error:
            for connection in connections:
                connection.close()
            if isinstance(error, Unavailable) and error.reason == "index-io":
                raise Misconfigured(f"{error}; free some space, or set index.path") from error
            raise
        return cls(
            path,
            generation=collection.generation,
            dimension=dimension,
            connections=connections,
            writes=writes,
            observe=observe,
        )

    @property
    def generation(self) -> str:
        return self._generation

    async def upsert(self, key: str, vector: Vector, attributes: IndexedAttributes) -> None:
        await self._batcher.submit(
            Upsert(key, validate_vector(vector, self._dimension), attributes)
        )

    async def patch(self, key: str, attributes: IndexedAttributes) -> bool:
        return await self._batcher.submit(Patch(key, attributes))

    async def delete(self, key: str) -> None:
        await self._batcher.submit(Delete(key))

    async def search(self, vector: Vector, filters: Filters, limit: int) -> list[Candidate]:
        condition, parameters = to_condition(filters)
        query = validate_vector(vector, self._dimension).tobytes()
        rows = await self._read(SEARCH.format(condition=condition), (query, *parameters, limit))
        return [
            Candidate(
                key=row[0],
                # Rounding may raise the cosine of equal vectors slightly above 1.
                similarity=min(1.0, 1.0 - row[1]),
                attributes=from_row(row[3:]),
                vector=np.frombuffer(row[2], dtype="<f4"),
            )
            for row in rows
        ]

    async def get(self, key: str) -> Candidate | None:
        rows = await self._read(GET, (key,))
        if not rows:
            return None
        stored = np.frombuffer(rows[0][0], dtype="<f4")
        return Candidate(key, 1.0, from_row(rows[0][1:]), stored)

    async def count(self) -> int:
        return int((await self._read(COUNT, ()))[0][0])

    async def scan(self) -> AsyncIterator[tuple[str, IndexedAttributes]]:
        last = 0  # ids begin at 1
        while rows := await self._read(SCAN, (last,)):
            for row in rows:
                yield row[1], from_row(row[2:])
            last = rows[-1][0]

    async def close(self) -> None:
        """Finish pending writes, then close the file."""
        await self._batcher.close()
        await asyncio.to_thread(self._close_file)

    def _close_file(self) -> None:
        self._write_thread.shutdown()
        self._read_threads.shutdown()
        for connection in self._connections:
            connection.close()

    async def _read(
        self, sql: str, parameters: tuple[str | int | bytes | None, ...]
    ) -> list[tuple[Any, ...]]:
        def run() -> list[tuple[Any, ...]]:
            connection = self._idle_readers.get()
            try:
                with translate_errors(self._path):
                    self._require_same(connection)
                    return list(connection.execute(sql, parameters))
            finally:
                self._idle_readers.put(connection)

        return await asyncio.get_running_loop().run_in_executor(self._read_threads, run)

    async def _write_all(self, writes: Sequence[Write]) -> list[bool | Exception]:
        """Apply ``writes`` in one transaction and commit it."""

        def run() -> list[bool | Exception]:
            results: list[bool | Exception] = []
            with translate_errors(self._path), self._writer:
                self._require_same(self._writer)
                results.extend(self._apply(write) for write in writes)
            return results

        return await asyncio.get_running_loop().run_in_executor(self._write_thread, run)

    def _require_same(self, connection: apsw.Connection) -> None:
        """Raise IndexLost once the file is not the one that was opened; takes 20 microseconds."""
        require_same_file(connection, self._path, self._file, self._generation)

    def _apply(self, write: Write) -> bool:
        """Apply one write; False for a patch or delete of a missing key."""
        if isinstance(write, Upsert):
            row = (write.key, *to_row(write.attributes))
            product_id = next(self._writer.execute(PUT_PRODUCT, row))[0]
            self._writer.execute(PUT_VECTOR, (product_id, write.vector.tobytes()))
        elif isinstance(write, Patch):
            self._writer.execute(PATCH_PRODUCT, (*to_row(write.attributes), write.key))
        else:
            self._writer.execute(DELETE_PRODUCT, (write.key,))
        return self._writer.changes() > 0
