"""HTTP caching by RFC 9111, observed at the host: which requests reach it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from PIL import Image

from operators.images import http_cache
from schemas.errors import ImageRefused
from schemas.looks import ImageReference
from schemas.settings import ImageSettings
from tests.images import encoded_pictures as pictures
from tests.images.conftest import OpenFetcher
from tests.images.picture_host import PictureHost, Request, Respond, response

FRESH = "max-age=60"
OTHER_PNG = pictures.encoded(Image.new("RGB", (20, 20), "green"), "PNG")


@pytest.fixture
def cached(settings: ImageSettings, tmp_path: Path) -> ImageSettings:
    return settings.model_copy(update={"http_cache": tmp_path / "cache"})


def revalidating(body: bytes, etag: str) -> Respond:
    """Responds 304 to requests with the current ETag."""

    async def reply(request: Request, writer: asyncio.StreamWriter) -> None:
        if request.headers.get("if-none-match") == etag:
            writer.write(response(b"", status="304 Not Modified", etag=etag))
        else:
            writer.write(response(body, etag=etag))

    return reply


async def test_a_fresh_picture_is_requested_once_by_all_fetchers_of_a_folder(
    host: PictureHost, cached: ImageSettings, open_fetcher: OpenFetcher
) -> None:
    fresh = response(pictures.PNG, cache_control="max-age=60")
    reference = ImageReference(url=host.serve("/a.png", fresh))
    first = await open_fetcher(cached).fetch(reference)
    second = await open_fetcher(cached).fetch(reference)
    assert first.pixel_hash == second.pixel_hash
    assert len(host.requests) == 1


async def test_a_picture_with_an_etag_is_revalidated(
    host: PictureHost, cached: ImageSettings, open_fetcher: OpenFetcher
) -> None:
    reference = ImageReference(url=host.serve("/a.png", revalidating(pictures.PNG, '"v1"')))
    fetcher = open_fetcher(cached)
    hashes = {(await fetcher.fetch(reference)).pixel_hash for _ in range(3)}
    assert len(hashes) == 1
    assert [request.headers.get("if-none-match") for request in host.requests] == [
        None,
        '"v1"',
        '"v1"',
    ]


async def test_a_changed_picture_at_the_same_url_is_fetched(
    host: PictureHost, cached: ImageSettings, open_fetcher: OpenFetcher
) -> None:
    fetcher = open_fetcher(cached)
    reference = ImageReference(url=host.serve("/a.png", revalidating(pictures.PNG, '"v1"')))
    before = await fetcher.fetch(reference)
    host.serve("/a.png", revalidating(OTHER_PNG, '"v2"'))
    after = await fetcher.fetch(reference)
    again = await fetcher.fetch(reference)
    assert before.pixel_hash != after.pixel_hash == again.pixel_hash


async def test_freshness_is_not_estimated_from_last_modified(
    host: PictureHost, cached: ImageSettings, open_fetcher: OpenFetcher
) -> None:
    old = "Mon, 01 Jan 2024 00:00:00 GMT"
    reference = ImageReference(url=host.serve("/a.png", response(pictures.PNG, last_modified=old)))
    fetcher = open_fetcher(cached)
    await fetcher.fetch(reference)
    await fetcher.fetch(reference)
    assert [request.headers.get("if-modified-since") for request in host.requests] == [None, old]


async def test_no_store_is_obeyed(
    host: PictureHost, cached: ImageSettings, open_fetcher: OpenFetcher
) -> None:
    private = response(pictures.PNG, cache_control="no-store")
    reference = ImageReference(url=host.serve("/a.png", private))
    fetcher = open_fetcher(cached)
    await fetcher.fetch(reference)
    await fetcher.fetch(reference)
    assert len(host.requests) == 2
    assert not stored_files(cached)


async def test_a_body_over_the_size_limit_is_not_stored(
    host: PictureHost, cached: ImageSettings, open_fetcher: OpenFetcher
) -> None:
    async def large(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\nconnection: close\r\n\r\n")
        writer.write(bytes(cached.max_bytes + 1))
        await writer.drain()

    fetcher = open_fetcher(cached)
    reference = ImageReference(url=host.serve("/a.png", large))
    for _ in range(2):
        with pytest.raises(ImageRefused, match="larger than"):
            await fetcher.fetch(reference)
    assert len(host.requests) == 2


@pytest.mark.parametrize("garbage", [b"", b"{}\n", b'{"method": 3}\nabc', b"\xff\xfe"])
async def test_a_damaged_cache_file_is_fetched_again(
    host: PictureHost, cached: ImageSettings, open_fetcher: OpenFetcher, garbage: bytes
) -> None:
    fresh = response(pictures.PNG, cache_control="max-age=60")
    reference = ImageReference(url=host.serve("/a.png", fresh))
    fetcher = open_fetcher(cached)
    before = await fetcher.fetch(reference)
    (file,) = stored_files(cached)
    file.write_bytes(garbage)
    after = await fetcher.fetch(reference)
    assert before.pixel_hash == after.pixel_hash
    assert len(host.requests) == 2


async def test_an_unwritable_cache_only_disables_caching(
    host: PictureHost, settings: ImageSettings, open_fetcher: OpenFetcher, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"in the way")
    fetcher = open_fetcher(settings.model_copy(update={"http_cache": tmp_path / "file" / "cache"}))
    fresh = response(pictures.PNG, cache_control="max-age=60")
    reference = ImageReference(url=host.serve("/a.png", fresh))
    await asyncio.gather(*(fetcher.fetch(reference) for _ in range(3)))
    assert len(host.requests) == 3


def stored_files(settings: ImageSettings) -> list[Path]:
    assert settings.http_cache is not None
    return [path for path in settings.http_cache.rglob("*") if path.is_file()]


def age_by_a_minute(settings: ImageSettings) -> None:
    """As if a minute had passed since each file was last used."""
    for path in stored_files(settings):
        used = path.stat().st_mtime - 60
        os.utime(path, (used, used))


@pytest.fixture
async def fetch(
    host: PictureHost,
    cached: ImageSettings,
    open_fetcher: OpenFetcher,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[int], Awaitable[None]]:
    """Fetches one of five pictures by number, a minute after the last call, through a cache with
    room for three. Pictures 0, 1 and 2 are cached."""
    references = [
        ImageReference(url=host.serve(f"/{n}.png", response(pictures.PNG, cache_control=FRESH)))
        for n in range(5)
    ]
    fetcher = open_fetcher(cached)

    async def fetch_one(number: int) -> None:
        age_by_a_minute(cached)
        await fetcher.fetch(references[number])

    await fetch_one(0)
    (first,) = stored_files(cached)
    monkeypatch.setattr(http_cache, "MAX_FOLDER_BYTES", int(3.5 * first.stat().st_size))
    monkeypatch.setattr(http_cache, "SWEEP_EVERY_BYTES", 1)
    await fetch_one(1)
    await fetch_one(2)
    return fetch_one


async def test_the_least_recently_used_picture_is_evicted_first(
    host: PictureHost, cached: ImageSettings, fetch: Callable[[int], Awaitable[None]]
) -> None:
    await fetch(0)  # a hit: picture 1 is now the least recently used
    await fetch(3)
    assert len(stored_files(cached)) == 3
    host.requests.clear()
    for number in (0, 2, 3):
        await fetch(number)
    assert not host.requests
    await fetch(1)
    assert [request.path for request in host.requests] == ["/1.png"]


async def test_eviction_stops_at_the_limit(
    host: PictureHost, cached: ImageSettings, fetch: Callable[[int], Awaitable[None]]
) -> None:
    assert len(stored_files(cached)) == 3
    await fetch(3)
    await fetch(4)
    assert len(stored_files(cached)) == 3


async def test_a_new_process_sweeps_at_its_first_write(
    host: PictureHost,
    cached: ImageSettings,
    open_fetcher: OpenFetcher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fresh = response(pictures.PNG, cache_control=FRESH)
    references = [ImageReference(url=host.serve(f"/{n}.png", fresh)) for n in range(3)]
    before = open_fetcher(cached)
    await before.fetch(references[0])
    await before.fetch(references[1])
    monkeypatch.setattr(http_cache, "MAX_FOLDER_BYTES", 1)
    await open_fetcher(cached).fetch(references[2])
    assert not stored_files(cached)
