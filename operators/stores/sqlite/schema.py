"""The SQLite file of the embedded vector store: tables, connections, translated errors.

Vectors have a table of their own, so that reading or patching attributes does not read their pages.
docs/decisions/030 says why they are plain rows rather than a vec0 virtual table.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw
import sqlite_vec

from schemas.errors import IndexLost, IndexMismatch, LookSyncError, Misconfigured, Unavailable

SCHEMA_VERSION = 1
BUSY_TIMEOUT_MS = 10_000
"""How long a writer waits for other processes' transactions, which take a few milliseconds."""

PAGE_SIZE = 16_384
"""Bytes. In SQLite's default of 4,096 a 2 KiB vector fills half a page (docs/decisions/030)."""

MMAP_SIZE = 1 << 31
"""Bytes, SQLite's upper limit. Processes share the page cache instead of copying from it."""

REBUILD = "put it back, or stop the flows and run `looksync jobs rebuild-index`"

TABLES = """
CREATE TABLE IF NOT EXISTS collection(
    only INTEGER PRIMARY KEY CHECK (only = 1),
    schema_version INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    dimension INTEGER NOT NULL,
    generation TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS products(
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    department TEXT,
    category TEXT,
    gender TEXT,
    colour TEXT,
    pattern TEXT,
    brand TEXT,
    market TEXT,
    sizes TEXT NOT NULL,  -- JSON array
    in_stock INTEGER NOT NULL,
    price_bucket INTEGER,
    currency TEXT,
    style TEXT,
    image_hash TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS products_by_department ON products(department, market);
CREATE TABLE IF NOT EXISTS vectors(
    id INTEGER PRIMARY KEY REFERENCES products(id) ON DELETE CASCADE,
    vector BLOB NOT NULL  -- little-endian float32
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Collection:
    """The row that describes an index file."""

    schema_version: int
    fingerprint: str
    dimension: int
    generation: str


def connect(path: Path) -> apsw.Connection:
    """Open a connection in WAL mode with sqlite-vec loaded; create the folder when missing.

    synchronous=FULL: a commit is on disk before it is acknowledged, as the port requires. Raises
    Misconfigured or Unavailable.
    """
    with translate_errors(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Misconfigured(
                f"index {path}: its folder cannot be created ({error}); set index.path to a "
                "writable location"
            ) from error
        connection = apsw.Connection(str(path))
        try:
            connection.set_busy_timeout(BUSY_TIMEOUT_MS)
            # A transaction that reads before it writes fails, instead of waiting, when another
            # process wrote in between; taking the write lock at the start makes it wait.
            connection.transaction_mode = "IMMEDIATE"
            connection.enable_load_extension(True)
            connection.load_extension(sqlite_vec.loadable_path())
            connection.enable_load_extension(False)
            connection.execute(f"PRAGMA page_size={PAGE_SIZE}")
            _switch_to_wal(connection)
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute(f"PRAGMA mmap_size={MMAP_SIZE}")
        except BaseException:
            connection.close()
            raise
        return connection


def _switch_to_wal(connection: apsw.Connection) -> None:
    """Retry while other processes hold the lock: SQLite does not wait for this one."""
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except apsw.BusyError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def read_collection(connection: apsw.Connection) -> Collection | None:
    """The description of the file; None when the file is new."""
    tables = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'collection'"
    if connection.execute(tables).fetchone() is None:
        return None
    row = connection.execute(
        "SELECT schema_version, fingerprint, dimension, generation FROM collection"
    ).fetchone()
    return None if row is None else Collection(*row)


def ensure_collection(
    connection: apsw.Connection, path: Path, *, fingerprint: str, dimension: int
) -> Collection:
    """The file's collection, created when missing; safe when several processes call it at once.

    Raises IndexMismatch when it was built with another encoder or schema version.
    """
    with translate_errors(path):
        found = read_collection(connection)
        if found is None:
            # Unlike the fingerprint, the generation also changes when the file is recreated, so
            # that results cached from a deleted index are void.
            generation = f"{fingerprint}@{uuid.uuid4().hex[:8]}"
            with connection:
                if read_collection(connection) is None:
                    _require_empty(connection, path)
                connection.execute(TABLES)
                connection.execute(
                    "INSERT OR IGNORE INTO collection VALUES(1, ?, ?, ?, ?)",
                    (SCHEMA_VERSION, fingerprint, dimension, generation),
                )
                found = read_collection(connection)
            assert found is not None
    if found.schema_version != SCHEMA_VERSION:
        raise IndexMismatch(
            f"index {path}: written with schema {found.schema_version}, this version has "
            f"{SCHEMA_VERSION}; set index.path to a new file and run `looksync jobs rebuild-index`"
        )
    if (found.fingerprint, found.dimension) != (fingerprint, dimension):
        raise IndexMismatch(
            f"index {path}: built with encoder {found.fingerprint} ({found.dimension} "
            f"dimensions); the configured encoder is {fingerprint} ({dimension}); set "
            "encoder.model back, or set index.path to a new file and run `looksync jobs "
            "rebuild-index`"
        )
    return found


def require_same_file(
    connection: apsw.Connection, path: Path, file: os.stat_result, generation: str
) -> None:
    """Raise IndexLost unless ``path`` is still ``file``, with the collection ``generation``.

    A deleted file stays readable to those who have it open, so they would not notice.
    """
    try:
        now = os.stat(path)
    except FileNotFoundError:
        problem = "was deleted while it was in use"
    else:
        if (now.st_dev, now.st_ino) != (file.st_dev, file.st_ino):
            problem = "was replaced by another file while it was in use"
        else:
            found = read_collection(connection)
            if found is not None and found.generation == generation:
                return
            problem = "holds another index than when it was opened"
    raise IndexLost(f"index {path}: {problem}; {REBUILD}", reason="index-lost")


def _require_empty(connection: apsw.Connection, path: Path) -> None:
    """Raise Misconfigured when the file has tables of another program."""
    table = connection.execute("SELECT name FROM sqlite_schema").fetchone()
    if table is not None:
        raise Misconfigured(
            f"index {path}: a SQLite file of another program (it has a table {table[0]!r}); set "
            "index.path to an unused file"
        )


@contextmanager
def translate_errors(path: Path) -> Iterator[None]:
    """Raise our errors instead of SQLite's; the message says what to do."""
    try:
        yield
    except LookSyncError:
        raise
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise IndexLost(
            f"index {path}: not a usable SQLite file ({error}); stop the flows, move it away and "
            "run `looksync jobs rebuild-index`",
            reason="index-corrupt",
        ) from error
    except (apsw.CantOpenError, apsw.ReadOnlyError, apsw.PermissionsError) as error:
        raise Misconfigured(
            f"index {path}: cannot be opened for writing ({error}); set index.path to a file in a "
            "writable folder"
        ) from error
    except (apsw.BusyError, apsw.LockedError) as error:
        raise Unavailable(
            f"index {path}: another process has been writing for more than "
            f"{BUSY_TIMEOUT_MS / 1000:.0f} s ({error})",
            reason="index-busy",
        ) from error
    except (apsw.FullError, apsw.IOError, apsw.NoMemError) as error:
        raise Unavailable(f"index {path}: {error}", reason="index-io") from error
