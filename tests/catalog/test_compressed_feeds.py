"""Compressed files and archives are recognised by their bytes and read as the file in them."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
from pathlib import Path

import pyarrow
import pytest

from operators.catalog.feeds.read import ReadPacket, read_feed
from operators.catalog.feeds.source import FeedSource
from schemas.errors import InvalidFile
from tests.catalog.feed_shop import DATA, plain


def read_ids(path: Path) -> list[str]:
    rows = read_feed(FeedSource(path.name, path), plain(), version=1)
    return [row.packet.product_id for row in rows if isinstance(row, ReadPacket)]


CONTENT = (DATA / "google.txt").read_bytes()


def _zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("google.txt", CONTENT)


@pytest.mark.parametrize("ending", ["gz", "bz2", "xz", "zst", "zip"])
@pytest.mark.parametrize("named", [True, False])
def test_compressed_files(tmp_path: Path, ending: str, *, named: bool) -> None:
    path = tmp_path / (f"google.txt.{ending}" if named else "google.txt")
    match ending:
        case "gz":
            path.write_bytes(gzip.compress(CONTENT))
        case "bz2":
            path.write_bytes(bz2.compress(CONTENT))
        case "xz":
            path.write_bytes(lzma.compress(CONTENT))
        case "zst":
            path.write_bytes(bytes(pyarrow.compress(CONTENT, "zstd", asbytes=True)))
        case _:
            _zipped(path)
    assert read_ids(path) == ["1"]


def test_an_archive_is_called_otherwise_than_the_file_in_it(tmp_path: Path) -> None:
    path = tmp_path / "export-2026.zip"
    _zipped(path)
    assert read_ids(path) == ["1"]


@pytest.mark.parametrize("kept", [10, 60, -4])
def test_a_compressed_file_that_breaks_off_is_reported(tmp_path: Path, kept: int) -> None:
    lines = b"".join(b"%d\tSkirt\thttps://x/1.jpg\t9 USD\n" % n for n in range(50_000))
    path = tmp_path / "feed.tsv.gz"
    path.write_bytes(gzip.compress(b"id\ttitle\timage_link\tprice\n" + lines)[:kept])
    with pytest.raises(InvalidFile) as error:
        read_ids(path)
    assert error.value.reason == "unreadable"


def test_an_archive_of_a_mac_holds_one_file(tmp_path: Path) -> None:
    path = tmp_path / "google.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("google.txt", CONTENT)
        archive.writestr("__MACOSX/._google.txt", b"\0\5\x16\7")
        archive.writestr(".DS_Store", b"\0")
    assert read_ids(path) == ["1"]
