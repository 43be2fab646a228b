"""Files that survive a crash: appended to under a lock, or replaced as a whole."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from operators.file_errors import naming

CHUNK = 1 << 18
"""Bytes per read."""


@contextmanager
def open_to_append(path: Path, *, wait: bool = True) -> Iterator[int]:
    """A descriptor of ``path``, created when missing, under an exclusive lock.

    Waits for the lock, or raises BlockingIOError when another process has it.
    """
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        with naming(path):
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
    """Write all of ``data``; a single ``os.write`` may write less."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def sync_folder(folder: Path) -> None:
    """Flush the directory entries of ``folder`` to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_durably(path: Path, data: bytes) -> None:
    """Replace the content of ``path`` atomically: a crash leaves the old or the new content."""
    draft = draft_of(path)
    write_durably(draft, data)
    draft.replace(path)
    sync_folder(path.parent)


def draft_of(path: Path) -> Path:
    """Where this thread writes ``path`` before it gets its name.

    No two threads share it, of one process or of several, and a crash leaves at most one.
    """
    return path.with_name(f"{path.name}.{os.getpid()}-{threading.get_native_id()}")


def write_durably(path: Path, data: bytes) -> None:
    """Write ``path`` and flush it to disk; not atomic: a crash may leave a truncated file."""
    with naming(path), path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
