"""HTTP caching as RFC 9111 has it, seen from the host: which requests reach it."""

from __future__ import annotations

import asyncio

import encoded_pictures as pictures
import pytest
from picture_host import response
from PIL import Image

from operators.images import http_cache
from schemas.errors import ImageRefused
from schemas.looks import ImageReference

OTHER_PNG = pictures.encoded(Image.new("RGB", (20, 20), "green"), "PNG")


@pytest.fixture
def cached(settings, tmp_path):
    return settings.model_copy(update={"http_cache": tmp_path / "cache"})


def revalidating(body: bytes, etag: str):
    """A host that answers 304 to whoever has the current ETag."""

    async def reply(request, writer):
        if request.headers.get("if-none-match") == etag:
            writer.write(response(b"", status="304 Not Modified", etag=etag))
        else:
            writer.write(response(body, etag=etag))

    return reply


async def test_a_fresh_picture_is_not_asked_for_again_by_another_process_either(
    host, cached, open_fetcher
):
    fresh = response(pictures.PNG, cache_control="max-age=60")
    reference = ImageReference(url=host.serve("/a.png", fresh))
    first = await open_fetcher(cached).fetch(reference)
    second = await open_fetcher(cached).fetch(reference)  # another fetcher, the same folder
    assert first.pixel_hash == second.pixel_hash
    assert len(host.requests) == 1


async def test_a_picture_with_an_etag_is_revalidated_and_not_sent_again(host, cached, open_fetcher):
    reference = ImageReference(url=host.serve("/a.png", revalidating(pictures.PNG, '"v1"')))
    fetcher = open_fetcher(cached)
    hashes = {(await fetcher.fetch(reference)).pixel_hash for _ in range(3)}
    assert len(hashes) == 1
    assert [request.headers.get("if-none-match") for request in host.requests] == [
        None,
        '"v1"',
        '"v1"',
    ]


async def test_a_new_picture_behind_the_same_url_is_noticed(host, cached, open_fetcher):
    fetcher = open_fetcher(cached)
    reference = ImageReference(url=host.serve("/a.png", revalidating(pictures.PNG, '"v1"')))
    before = await fetcher.fetch(reference)
    host.serve("/a.png", revalidating(OTHER_PNG, '"v2"'))
    after = await fetcher.fetch(reference)
    again = await fetcher.fetch(reference)
    assert before.pixel_hash != after.pixel_hash == again.pixel_hash


async def test_freshness_is_not_guessed_from_last_modified(host, cached, open_fetcher):
    old = "Mon, 01 Jan 2024 00:00:00 GMT"
    reference = ImageReference(url=host.serve("/a.png", response(pictures.PNG, last_modified=old)))
    fetcher = open_fetcher(cached)
    await fetcher.fetch(reference)
    await fetcher.fetch(reference)
    assert [request.headers.get("if-modified-since") for request in host.requests] == [None, old]


async def test_no_store_is_obeyed(host, cached, open_fetcher):
    private = response(pictures.PNG, cache_control="no-store")
    reference = ImageReference(url=host.serve("/a.png", private))
    fetcher = open_fetcher(cached)
    await fetcher.fetch(reference)
    await fetcher.fetch(reference)
    assert len(host.requests) == 2
    assert not [path for path in cached.http_cache.rglob("*") if path.is_file()]


async def test_what_was_too_large_is_not_kept(host, cached, open_fetcher):
    async def large(request, writer):
        writer.write(b"HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\nconnection: close\r\n\r\n")
        writer.write(bytes(cached.max_bytes + 1))
        await writer.drain()

    fetcher = open_fetcher(cached)
    reference = ImageReference(url=host.serve("/a.png", large))
    for _ in range(2):
        with pytest.raises(ImageRefused, match="larger than"):
            await fetcher.fetch(reference)
    assert len(host.requests) == 2


@pytest.mark.parametrize("rubbish", [b"", b"{}\n", b'{"method": 3}\nabc', b"\xff\xfe"])
async def test_a_spoilt_cache_file_is_fetched_anew(host, cached, open_fetcher, rubbish):
    fresh = response(pictures.PNG, cache_control="max-age=60")
    reference = ImageReference(url=host.serve("/a.png", fresh))
    fetcher = open_fetcher(cached)
    before = await fetcher.fetch(reference)
    (file,) = (path for path in cached.http_cache.rglob("*") if path.is_file())
    file.write_bytes(rubbish)
    after = await fetcher.fetch(reference)
    assert before.pixel_hash == after.pixel_hash
    assert len(host.requests) == 2


async def test_a_cache_that_cannot_be_written_only_costs_the_caching(
    host, settings, open_fetcher, tmp_path
):
    (tmp_path / "file").write_bytes(b"in the way")
    fetcher = open_fetcher(settings.model_copy(update={"http_cache": tmp_path / "file" / "cache"}))
    fresh = response(pictures.PNG, cache_control="max-age=60")
    reference = ImageReference(url=host.serve("/a.png", fresh))
    await asyncio.gather(*(fetcher.fetch(reference) for _ in range(3)))
    assert len(host.requests) == 3


async def test_the_folder_is_kept_within_its_limit_by_removing_what_was_used_longest_ago(
    host, cached, open_fetcher, monkeypatch
):
    size = len(pictures.PNG)
    monkeypatch.setattr(http_cache, "MAX_FOLDER_BYTES", 4 * (size + 500))
    monkeypatch.setattr(http_cache, "SWEEP_EVERY_BYTES", 1)
    fetcher = open_fetcher(cached)
    fresh = response(pictures.PNG, cache_control="max-age=60")
    references = [ImageReference(url=host.serve(f"/{n}.png", fresh)) for n in range(10)]
    for reference in references:
        await fetcher.fetch(references[0])  # in use all the time
        await fetcher.fetch(reference)
    files = [path for path in cached.http_cache.rglob("*") if path.is_file()]
    assert 1 < len(files) <= 5
    assert [request.path for request in host.requests].count("/0.png") == 1
