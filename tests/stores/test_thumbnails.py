from __future__ import annotations

import uuid

import pytest
from PIL import Image
from thumbnails_contract import ThumbnailsContract

from operators.stores.thumbnails import ThumbnailFolder
from schemas.errors import Misconfigured, Unavailable
from schemas.settings import ThumbnailSettings


class TestLocalFolder(ThumbnailsContract):
    @pytest.fixture
    def thumbnails(self, tmp_path):
        return ThumbnailFolder.open(ThumbnailSettings(url=str(tmp_path / "thumbnails")))


class TestObjectStore(ThumbnailsContract):
    """fsspec's own in-memory file system behaves as an object store does."""

    @pytest.fixture
    def thumbnails(self):
        return ThumbnailFolder.open(ThumbnailSettings(url=f"memory://{uuid.uuid4().hex}/small"))


async def test_files_are_spread_over_folders_and_nothing_else_is_left(tmp_path):
    thumbnails = ThumbnailFolder.open(ThumbnailSettings(url=f"file://{tmp_path}/t"))
    for number in range(20):
        await thumbnails.put(f"zari:{number}", Image.new("RGB", (10, 10)))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 20
    assert {path.suffix for path in files} == {".jpg"}
    assert {len(path.relative_to(tmp_path).parts) for path in files} == {4}
    assert len({path.parent for path in files}) > 15


async def test_a_folder_that_cannot_be_written_is_unavailable(tmp_path):
    (tmp_path / "file").touch()
    thumbnails = ThumbnailFolder.open(ThumbnailSettings(url=str(tmp_path / "file" / "t")))
    with pytest.raises(Unavailable):
        await thumbnails.put("zari:1", Image.new("RGB", (10, 10)))


def test_an_unknown_kind_of_file_system_is_misconfigured():
    with pytest.raises(Misconfigured, match=r"thumbnails\.url"):
        ThumbnailFolder.open(ThumbnailSettings(url="carrier-pigeon://loft"))
