"""Reads pictures from files: those below the folders that the settings allow, and a user's own."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote_to_bytes

from operators.images.guard import check_size
from schemas.errors import ImageRefused
from schemas.looks import ImageReference

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""Without O_NONBLOCK, opening a FIFO without a writer would block forever."""


def read_file(url: str, roots: Iterable[Path], max_bytes: int) -> bytes:
    """Read the file of a ``file:`` URL. Raises ImageRefused unless it is below one of ``roots``.

    Links are resolved first. The resolved path, which has none, is then opened folder by folder
    from its root without following any, so that links swapped in meanwhile lead nowhere.
    Blocking: run in a thread.
    """
    path = _path_of(url)
    try:
        real = path.resolve()
        root = next((root for root in map(Path.resolve, roots) if real.is_relative_to(root)), None)
    except (OSError, RuntimeError) as error:  # RuntimeError: a symlink loop, before Python 3.13
        raise ImageRefused(f"{path}: {error}", reason="not-found") from error
    if root is None:
        raise ImageRefused(f"{path} is outside images.allowed_roots", reason="outside-roots")
    try:
        descriptor = _open_below(root, real.relative_to(root).parts)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ImageRefused(f"{path} does not exist", reason="not-found") from error
    except OSError as error:
        raise ImageRefused(f"{path}: {error.strerror}", reason="unreadable") from error
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(max_bytes + 1)
    check_size(len(content), max_bytes)
    return content


def own_picture(picture: str, max_bytes: int) -> ImageReference:
    """The picture that a user of the command line names: a file, or an http(s) URL.

    A file is read here, with the user's permissions, wherever it is; its bytes, and the URL, pass
    the guard later like any other. Raises ImageRefused. Blocking.
    """
    if picture.startswith(("http://", "https://")):
        return ImageReference(url=picture)
    path = Path(picture.removeprefix("file://"))
    try:
        _check_regular(path.stat(), path)
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise ImageRefused(f"{path} cannot be read: {error.strerror}", reason="not-found") from None
    except ValueError:
        raise ImageRefused("the path contains a null byte", reason="not-found") from None
    check_size(len(content), max_bytes)
    return ImageReference.model_construct(url=None, data=content)


def _open_below(root: Path, parts: tuple[str, ...]) -> int:
    """A descriptor of the regular file at ``parts`` below ``root``. Raises OSError, ImageRefused.

    ``root`` itself is the operator's: links on the way to it are followed.
    """
    folder = os.open(root, _FOLDER & ~os.O_NOFOLLOW)
    try:
        for part in parts[:-1]:
            inner = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        name = parts[-1] if parts else "."
        # Before it is opened, too: opening a device may have an effect.
        _check_regular(os.stat(name, dir_fd=folder, follow_symlinks=False), root.joinpath(*parts))
        descriptor = os.open(name, _FILE, dir_fd=folder)
    finally:
        os.close(folder)
    try:
        _check_regular(os.fstat(descriptor), root.joinpath(*parts))
    except ImageRefused:
        os.close(descriptor)
        raise
    return descriptor


def _check_regular(status: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ImageRefused(f"{path} is not a regular file", reason="not-a-file")


def _path_of(url: str) -> Path:
    host, slash, path = url[len("file:") :].removeprefix("//").partition("/")
    if not slash or host not in ("", "localhost"):
        raise ImageRefused(
            "a file URL needs three slashes and an absolute path: file:///folder/picture.jpg",
            reason="bad-url",
        )
    decoded = os.fsdecode(unquote_to_bytes(path))
    if "\0" in decoded:
        raise ImageRefused("the path contains a null byte", reason="bad-url")
    return Path("/", decoded)
