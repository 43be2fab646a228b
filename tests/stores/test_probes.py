from __future__ import annotations

import socket
from pathlib import Path

import pytest

from operators.stores.redis.embedded_server import ensure_server, stop_left_over
from schemas.errors import Misconfigured, Unavailable
from schemas.settings import IndexSettings, RedisSettings, ThumbnailSettings
from tests.stores.probing import probe_index, probe_redis, probe_thumbnails


async def test_usable_stores_pass_and_are_left_clean(tmp_path: Path) -> None:
    await probe_index(IndexSettings(path=tmp_path / "index.sqlite"))
    await probe_thumbnails(ThumbnailSettings(url=str(tmp_path / "thumbnails")))
    await probe_redis(RedisSettings(folder=tmp_path / "valkey"))
    assert not [path for path in (tmp_path / "thumbnails").rglob("*") if path.is_file()]
    assert stop_left_over(tmp_path / "valkey") is False  # the probe stopped the server it started


async def test_a_running_server_is_not_stopped(tmp_path: Path) -> None:
    server = ensure_server(tmp_path)
    try:
        await probe_redis(RedisSettings(folder=tmp_path))
        await probe_redis(RedisSettings(kind="url", url=server.url))
        assert ensure_server(tmp_path).pid == server.pid
    finally:
        stop_left_over(tmp_path)


async def test_a_corrupt_index_is_reported_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(Misconfigured, match=r"index\.sqlite.*move it away"):
        await probe_index(IndexSettings(path=path))


async def test_an_unreachable_vector_store_is_unavailable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(Unavailable, match=url):
            await probe_index(IndexSettings(kind="weaviate", url=url))


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://127.0.0.1", "http://"])
async def test_an_invalid_address_is_misconfigured(url: str) -> None:
    with pytest.raises(Misconfigured, match=r"index\.url"):
        await probe_index(IndexSettings(kind="weaviate", url=url))


async def test_an_unreachable_redis_is_unavailable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{unused.getsockname()[1]}/0"
        with pytest.raises(Unavailable):
            await probe_redis(RedisSettings(kind="url", url=url))


async def test_a_thumbnail_folder_that_is_not_writable_is_reported_with_its_path(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="file"):
        await probe_thumbnails(ThumbnailSettings(url=str(tmp_path / "file" / "t")))
