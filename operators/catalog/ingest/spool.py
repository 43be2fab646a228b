"""Records that wait on disk until it is known whether they may be sent."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Self

from schemas.records import Record


class Spool:
    """Records in the order in which they were appended. Use as a context manager."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="looksync-spool-")  # noqa: SIM115

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def append(self, record: Record) -> None:
        """Neither key nor value may hold a line end, which packets' JSON and ids never do."""
        self._file.write(record.key.encode() + b"\t" + record.value + b"\n")

    def records(self) -> Iterator[Record]:
        """All of them; afterwards nothing can be appended."""
        self._file.seek(0)
        for line in self._file:
            key, _, value = line.rstrip(b"\n").partition(b"\t")
            yield Record(key.decode(), value)
