"""Which ids a run has read, in bounded memory."""

from __future__ import annotations

import sqlite3
import struct
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import blake2b
from typing import Self

MAX_IN_MEMORY = 400_000
"""Beyond this number, ids go to disk; this many take about 80 MB."""

_PLACE = struct.Struct(">IQ8s")


@dataclass(frozen=True, slots=True)
class First:
    """Where an id was read first."""

    file: int
    """Number of the file within the run, from 0."""
    line: int
    same: bool
    """Whether that row had the same values."""


class SeenIds:
    """Ids by hash, with the place of the first row of each. Use as a context manager."""

    def __init__(self, max_in_memory: int = MAX_IN_MEMORY) -> None:
        self._max_in_memory = max_in_memory
        self._places: dict[bytes, bytes] = {}
        self._disk: sqlite3.Connection | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def first(self, identity: str, file: int, line: int, content: bytes) -> First | None:
        """Where ``identity`` was read before; None: never, and from now on it has been here."""
        digest = _digest(identity, b"row")
        place = _PLACE.pack(file, line, blake2b(content, digest_size=8).digest())
        earlier = self._put(digest, place)
        if earlier is None:
            return None
        first_file, first_line, first_content = _PLACE.unpack(earlier)
        return First(first_file, first_line, first_content == place[-8:])

    def mark_present(self, key: str) -> None:
        """Note that the product is in the files, even if its row is refused."""
        self._put(_digest(key, b"present"), b"")

    def is_present(self, key: str) -> bool:
        digest = _digest(key, b"present")
        return digest in self._places or self._on_disk(digest) is not None

    def _put(self, digest: bytes, place: bytes) -> bytes | None:
        """The existing value; None when there was none."""
        earlier = self._places.get(digest)
        if earlier is None:
            earlier = self._on_disk(digest)
        if earlier is not None:
            return earlier
        if len(self._places) < self._max_in_memory:
            self._places[digest] = place
            return None
        if self._disk is None:
            self._disk = self._open()
        self._disk.execute("INSERT INTO seen VALUES (?, ?)", (digest, place))
        return None

    def _on_disk(self, digest: bytes) -> bytes | None:
        if self._disk is None:
            return None
        row = self._disk.execute("SELECT place FROM seen WHERE id = ?", (digest,)).fetchone()
        return None if row is None else bytes(row[0])

    def _open(self) -> sqlite3.Connection:
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="looksync-ids-"))
        disk = sqlite3.connect(f"{folder}/ids", isolation_level=None)
        self._stack.callback(disk.close)
        # The file is deleted with the run, so nothing has to survive a crash.
        disk.execute("PRAGMA journal_mode = OFF")
        disk.execute("PRAGMA synchronous = OFF")
        disk.execute("CREATE TABLE seen (id BLOB PRIMARY KEY, place BLOB) WITHOUT ROWID")
        disk.execute("BEGIN")
        return disk


def _digest(text: str, purpose: bytes) -> bytes:
    return blake2b(text.encode(), digest_size=16, person=purpose).digest()
