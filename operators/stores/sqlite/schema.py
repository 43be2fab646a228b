"""The SQLite file of the embedded vector store: its tables, how it is opened, what its errors mean.

Vectors lie in a table of their own, so that reading or patching attributes does not page through
them. docs/decisions/030 says why they are plain rows rather than a vec0 virtual table.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw
import sqlite_vec

from schemas.errors import IndexMismatch, LookSyncError, Misconfigured, Unavailable

SCHEMA_VERSION = 1
BUSY_TIMEOUT_MS = 10_000
"""How long a writer waits for the writers of other processes; their transactions take a few ms."""

PAGE_SIZE = 16_384
"""Bytes. With SQLite's 4,096 a 2 KiB vector fills half a page; measured in docs/decisions/030."""

MMAP_SIZE = 1 << 31
"""Bytes: SQLite's own upper limit. Processes share the page cache instead of copying from it."""

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
    """What an index file says about itself."""

    schema_version: int
    fingerprint: str
    dimension: int
    generation: str


def connect(path: Path) -> apsw.Connection:
    """A connection with sqlite-vec loaded, in WAL mode; the folder is made when missing.

    synchronous=FULL: a commit is on the disk before it is acknowledged, as the port promises.
    Raises Misconfigured or Unavailable.
    """
    with explained(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Misconfigured(
                f"index {path}: its folder cannot be made ({error}); set index.path to a place "
                "that can be written"
            ) from error
        connection = apsw.Connection(str(path))
        try:
            connection.set_busy_timeout(BUSY_TIMEOUT_MS)
            # A transaction that first reads and then writes would fail, not wait, when another
            # process wrote in between; taking the write lock at its start makes it wait.
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
    """Several processes that open a new file at once fight for this lock, and SQLite does not
    wait for it: it fails at once."""
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
    """What the file says about itself; None when nothing was stored in it yet."""
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
    """The file's collection, created when it has none; safe when several processes come at once.

    Raises IndexMismatch when it was built with another encoder or by another schema.
    """
    with explained(path):
        found = read_collection(connection)
        if found is None:
            # Unlike the fingerprint, the generation also changes when the file is made anew, so
            # that results cached from an index that was thrown away are void.
            generation = f"{fingerprint}@{uuid.uuid4().hex[:8]}"
            with connection:
                if read_collection(connection) is None:
                    _refuse_foreign_tables(connection, path)
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
            f"{SCHEMA_VERSION}; set index.path to a new file and replay the catalog into it"
        )
    if (found.fingerprint, found.dimension) != (fingerprint, dimension):
        raise IndexMismatch(
            f"index {path}: built with encoder {found.fingerprint} ({found.dimension} "
            f"dimensions), the one in force is {fingerprint} ({dimension}); set encoder.model "
            "back, or set index.path to a new file and replay the catalog into it"
        )
    return found


def _refuse_foreign_tables(connection: apsw.Connection, path: Path) -> None:
    """An index is made in an empty file only, never among another program's tables."""
    table = connection.execute("SELECT name FROM sqlite_schema").fetchone()
    if table is not None:
        raise Misconfigured(
            f"index {path}: a SQLite file of something else (it has a table {table[0]!r}); set "
            "index.path to a file of its own"
        )


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite raises into our errors, saying what to do."""
    try:
        yield
    except LookSyncError:
        raise
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise Misconfigured(
            f"index {path}: not a usable SQLite file ({error}); move it away and replay the "
            "catalog into a new one",
            reason="index-corrupt",
        ) from error
    except (apsw.CantOpenError, apsw.ReadOnlyError, apsw.PermissionsError) as error:
        raise Misconfigured(
            f"index {path}: cannot be opened for writing ({error}); set index.path to a file in a "
            "folder that can be written"
        ) from error
    except (apsw.BusyError, apsw.LockedError) as error:
        raise Unavailable(
            f"index {path}: another process has been writing for more than "
            f"{BUSY_TIMEOUT_MS / 1000:.0f} s ({error})",
            reason="index-busy",
        ) from error
    except (apsw.FullError, apsw.IOError, apsw.NoMemError) as error:
        raise Unavailable(f"index {path}: {error}", reason="index-io") from error
