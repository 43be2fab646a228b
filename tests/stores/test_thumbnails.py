from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from PIL import Image

from operators.stores.thumbnails import ThumbnailFolder
from schemas.errors import Misconfigured, Unavailable
from schemas.settings import ThumbnailSettings
from tests.stores.thumbnails_contract import ThumbnailsContract


class TestLocalFolder(ThumbnailsContract):
    @pytest.fixture
    def thumbnails(self, tmp_path: Path) -> ThumbnailFolder:
        return ThumbnailFolder.open(ThumbnailSettings(url=str(tmp_path / "thumbnails")))


class TestObjectStore(ThumbnailsContract):
    """fsspec's in-memory file system behaves like an object store."""

    @pytest.fixture
    def thumbnails(self) -> ThumbnailFolder:
        return ThumbnailFolder.open(ThumbnailSettings(url=f"memory://{uuid.uuid4().hex}/small"))


async def test_files_are_spread_over_folders_without_temporary_files(tmp_path: Path) -> None:
    thumbnails = ThumbnailFolder.open(ThumbnailSettings(url=f"file://{tmp_path}/t"))
    for number in range(20):
        await thumbnails.put(f"zari:{number}", Image.new("RGB", (10, 10)))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 20
    assert {path.suffix for path in files} == {".jpg"}
    assert {len(path.relative_to(tmp_path).parts) for path in files} == {4}
    assert len({path.parent for path in files}) > 15


async def test_a_folder_that_is_not_writable_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    thumbnails = ThumbnailFolder.open(ThumbnailSettings(url=str(tmp_path / "file" / "t")))
    with pytest.raises(Unavailable):
        await thumbnails.put("zari:1", Image.new("RGB", (10, 10)))


def test_an_unknown_url_scheme_is_misconfigured() -> None:
    with pytest.raises(Misconfigured, match=r"thumbnails\.url"):
        ThumbnailFolder.open(ThumbnailSettings(url="carrier-pigeon://loft"))
