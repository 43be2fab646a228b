"""A vendor's file as a stream of uncompressed bytes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import shutil
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from operators.catalog.feeds.dialect import Compression, Dialect, Format
from schemas.errors import InvalidFile

FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".txt": "tsv",  # what Merchant Center calls its tab-separated files
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".jsonld": "json",
    ".xml": "xml",
    ".rss": "xml",
    ".atom": "xml",
    ".parquet": "parquet",
}
"""File name ending -> format."""

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)

_PACKED = {".gz", ".bz2", ".xz", ".zst", ".zip"}

_MAGIC: tuple[tuple[bytes, Compression], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"PK\x03\x04", "zip"),
)
"""First bytes -> compression."""


@dataclass(frozen=True, slots=True)
class FeedSource:
    """Where a file comes from. ``name`` is used in messages."""

    name: str
    path: Path | None = None
    """None: standard input."""
    is_file_name: bool = True
    """Whether only the ending of ``name`` can decide the format, not the first bytes."""
    open_file: Callable[[Path], io.FileIO] = io.FileIO
    """Opens ``path``."""

    @classmethod
    def of(cls, argument: str) -> FeedSource:
        """``-`` is standard input, anything else a path. Raises InvalidFile for an address."""
        if argument == "-":
            return cls("standard input", is_file_name=False)
        if address := _ADDRESS.match(argument):
            raise InvalidFile(
                f"an address that begins with {address[0]} is not read here; fetch the file with "
                "another program and pipe it in: ... | looksync COMMAND -",
                reason="address",
            )
        return cls(argument, Path(argument))

    def format(self, dialect: Dialect) -> Format | None:
        """As declared, else by the name's ending; None: its first bytes decide.

        Raises InvalidFile when they may not.
        """
        name = _unpacked_name(self.name)
        if name.suffix not in FORMATS and self.path is not None and self.is_file_name:
            name = _unpacked_name(_member_name(self.path))
        # Rejected rows come back as JSON Lines, whatever the file was that they were in.
        if dialect.format is not None and FORMATS.get(name.suffix) != "jsonl":
            return dialect.format
        if name.suffix not in FORMATS and not self.is_file_name:
            return None
        if name.suffix not in FORMATS:
            raise InvalidFile(
                f"{self.name}: its name does not show its format; set feed.format in the mapping "
                f"(the name may end in {', '.join(FORMATS)})",
                reason="unknown-format",
            )
        return FORMATS[name.suffix]

    @contextmanager
    def open(self, dialect: Dialect) -> Iterator[io.BufferedReader]:
        """The unpacked bytes. Raises InvalidFile when they cannot be read, also when the body finds
        that they break off."""
        with ExitStack() as stack:
            try:
                yield self._open_unpacked(dialect.compression, stack)
            except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
                cause = getattr(error, "strerror", None) or str(error) or "it breaks off"
                raise InvalidFile(f"{self.name}: {cause}", reason="unreadable") from error
            except UnicodeError as error:
                raise InvalidFile(
                    f"{self.name}: {error}; set feed.encoding", reason="undecodable"
                ) from error

    def _open_unpacked(self, declared: Compression | None, stack: ExitStack) -> io.BufferedReader:
        opened = (
            io.FileIO(sys.stdin.fileno(), closefd=False)
            if self.path is None
            else self.open_file(self.path)
        )
        packed: io.BufferedReader = stack.enter_context(io.BufferedReader(opened))
        begin = packed.peek(8)[:8]
        found = next((kind for magic, kind in _MAGIC if begin.startswith(magic)), "none")
        # A server may have unpacked the file already, and rejected rows come back as they are.
        match declared if declared == "none" else found:
            case "gzip":
                return io.BufferedReader(stack.enter_context(gzip.GzipFile(fileobj=packed)))
            case "bz2":
                return io.BufferedReader(stack.enter_context(bz2.BZ2File(packed)))
            case "xz":
                return io.BufferedReader(stack.enter_context(lzma.LZMAFile(packed)))
            case "zstd":
                # Imported here: half a second that only those who need it should wait.
                import pyarrow

                return io.BufferedReader(pyarrow.CompressedInputStream(packed, "zstd"))
            case "zip":
                return self._only_member(packed, stack)
        return packed

    def _only_member(self, packed: io.BufferedReader, stack: ExitStack) -> io.BufferedReader:
        archive = stack.enter_context(zipfile.ZipFile(seekable(packed, stack)))
        members = _members(archive)
        if len(members) != 1:
            raise InvalidFile(
                f"{self.name}: an archive of {len(members)} files; pack each on its own",
                reason="unreadable",
            )
        if members[0].flag_bits & 1:
            raise InvalidFile(f"{self.name}: the archive has a password", reason="unreadable")
        return io.BufferedReader(cast(io.RawIOBase, archive.open(members[0])))


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The files in ``archive`` but for those that a Mac adds."""
    return [
        info
        for info in archive.infolist()
        if not info.is_dir()
        and not info.filename.startswith("__MACOSX/")
        and not Path(info.filename).name.startswith(".")
    ]


def _unpacked_name(name: str) -> Path:
    path = Path(name.lower())
    while path.suffix in _PACKED:
        path = path.with_suffix("")
    return path


def _member_name(path: Path) -> str:
    """The name of the only file in the archive ``path``, else its own."""
    if path.suffix.lower() != ".zip":
        return path.name
    try:
        with zipfile.ZipFile(path) as archive:
            names = [info.filename for info in _members(archive)]
    except (OSError, zipfile.BadZipFile):
        return path.name  # opening it reports the fault
    return names[0] if len(names) == 1 else path.name


def format_of(begin: bytes) -> Format:
    """The format of a file that begins so, by what no other format can begin with."""
    if begin.startswith(b"PAR1"):
        return "parquet"
    text = begin.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    for mark, format_ in ((b"<", "xml"), (b"{", "jsonl"), (b"[", "json")):
        if text.startswith(mark):
            return cast(Format, format_)
    return "tsv" if b"\t" in text.partition(b"\n")[0] else "csv"


def seekable(stream: io.BufferedReader, stack: ExitStack) -> BinaryIO:
    """``stream`` itself when it can seek, else a copy of it on disk that can."""
    if stream.seekable():
        return stream
    spool = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
    shutil.copyfileobj(stream, spool)
    spool.seek(0)
    return spool
