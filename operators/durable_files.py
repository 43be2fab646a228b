"""Files that survive a crash: appended under a lock, or replaced as a whole."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHUNK = 1 << 18
"""Bytes read at once."""


@contextmanager
def open_to_append(path: Path) -> Iterator[int]:
    """A descriptor under an exclusive lock, waited for."""
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(file)


def end_of_last_line(file: int) -> int:
    """The offset after the last newline in ``file``."""
    end = os.fstat(file).st_size
    while end > 0:
        start = max(0, end - CHUNK)
        newline = os.pread(file, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def write_all(file: int, data: bytes) -> None:
    """``os.write`` until everything is written; it may take less than it is given."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_durably(path: Path, data: bytes) -> None:
    """Write ``path`` so that a crash leaves the old or the new content, never a part."""
    draft = path.with_suffix(f"{path.suffix}.{os.getpid()}")
    write_durably(draft, data)
    draft.replace(path)
    sync_folder(path.parent)


def write_durably(path: Path, data: bytes) -> None:
    """Write ``path`` and flush it to disk; a crash may leave a part of it."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
