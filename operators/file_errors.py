"""The user-facing message when a file, a folder or the disk cannot be used.

Such an error may come from any of our own files, from the engine's recovery store, or wrapped by
the engine; wherever it ends a command or a flow, it is reported like every other wrong setting.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import Misconfigured

_ADVICE = {
    errno.ENOSPC: "the disk is full: free some space, or name another folder in the settings",
    errno.EDQUOT: "the disk quota is used up: free some space, or name another folder in the "
    "settings",
    errno.EROFS: "the file system is read-only: name a writable folder in the settings, or run "
    "from one",
    errno.EACCES: "permission denied: let this user use it, or name another one",
    errno.EPERM: "not permitted: let this user use it, or name another one",
    errno.ENOENT: "it does not exist",
    errno.ENOTDIR: "a part of this path is a file, not a folder",
    errno.EISDIR: "it is a folder, not a file",
    errno.EEXIST: "there is a file where a folder should be",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ELOOP: "its links form a circle",
    errno.EIO: "the disk reports an error: check it",
    errno.EMFILE: "too many open files: raise the limit (ulimit -n)",
    errno.ENFILE: "too many open files on this machine",
    errno.EFBIG: "the file would be too large for its file system",
    errno.ETXTBSY: "it is being executed",
}
"""Errors that people can do something about; not those of connections, which clients translate."""

_STORE_ADVICE = {
    "disk is full": errno.ENOSPC,
    "readonly database": errno.EROFS,
    "unable to open database file": errno.EACCES,
    "disk I/O error": errno.EIO,
}
"""Of SQLite's messages about the recovery store, also inside of the engine's panics."""


def file_problem(error: BaseException | None) -> Misconfigured | None:
    """The user-facing error behind ``error`` or its causes; None when it is about no file."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _ADVICE:
            names = [name for name in (error.filename, error.filename2) if name is not None]
            where = " -> ".join(map(str, names)) or "a file"
            return Misconfigured(f"{where}: {_ADVICE[error.errno]}", reason="file")
        if re.search(r"sqlite", f"{type(error).__module__} {error}", re.IGNORECASE):
            for message, number in _STORE_ADVICE.items():
                if message in str(error):
                    return Misconfigured(
                        f"stream.recovery_folder: {_ADVICE[number]}", reason="file"
                    )
        error = error.__cause__
    return None


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Add ``path`` to an error that the system reported for a descriptor, without a name."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise
