"""Which files a bulk job reads, and how far it has come in each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from operators.catalog.feeds.source import FORMATS
from schemas.errors import Misconfigured


class Shard(BaseModel):
    """A file as it was when the job began."""

    model_config = ConfigDict(frozen=True)

    path: str
    size: int
    """In bytes."""
    modified_ns: int

    @classmethod
    def of(cls, path: Path) -> Shard:
        stat = path.stat()
        return cls(path=str(path.resolve()), size=stat.st_size, modified_ns=stat.st_mtime_ns)


def find_shards(paths: Sequence[Path]) -> list[Shard]:
    """The files in ``paths``; of a folder, those at any depth with a feed format's extension.

    Sorted by path, each once. Raises Misconfigured when there is none.
    """
    files: set[Path] = set()
    for path in paths:
        if path.is_dir():
            files.update(found for found in path.rglob("*") if _is_feed(found))
        elif path.is_file():
            files.add(path)
        else:
            raise Misconfigured(f"{path}: there is no such file or folder")
    if not files:
        names = ", ".join(map(str, paths))
        raise Misconfigured(f"{names}: no file whose name ends in {', '.join(FORMATS)}")
    return sorted({Shard.of(file) for file in files}, key=lambda shard: shard.path)


def _is_feed(path: Path) -> bool:
    suffixes = {suffix.lower() for suffix in path.suffixes}
    return path.is_file() and not path.name.startswith(".") and not suffixes.isdisjoint(FORMATS)


class Progress:
    """Which rows of one shard are done; rows finish in any order."""

    def __init__(self, position: int, beyond: Sequence[int]) -> None:
        """``position``: all rows before it are done, and so are those in ``beyond``."""
        self.position = position
        self._beyond = set(beyond)
        self.saved = position
        """The position that the checkpoint holds."""

    @property
    def beyond(self) -> list[int]:
        return sorted(self._beyond)

    def is_done(self, row: int) -> bool:
        return row < self.position or row in self._beyond

    def mark(self, row: int) -> None:
        """Row ``row`` is done, and its change is published."""
        self._beyond.add(row)
        while self.position in self._beyond:
            self._beyond.remove(self.position)
            self.position += 1
