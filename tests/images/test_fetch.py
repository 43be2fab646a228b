"""Fetching by URL and from bytes: what succeeds, and how each failure is classified."""

from __future__ import annotations

import asyncio
import socket
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from schemas.errors import ImageRefused, PictureUnavailable
from schemas.looks import ImageReference
from schemas.settings import ImageSettings
from tests.images import encoded_pictures as pictures
from tests.images.conftest import LoopClock, OpenFetcher
from tests.images.encoded_pictures import PNG_HASH
from tests.images.picture_host import PictureHost, Request, redirect, response


async def test_a_url_a_file_and_bytes_give_the_same_picture(
    host: PictureHost, settings: ImageSettings, open_fetcher: OpenFetcher, tmp_path: Path
) -> None:
    url = host.serve("/a.png", response(pictures.PNG))
    file = tmp_path / "root" / "été 1.png"
    file.write_bytes(pictures.PNG)
    fetcher = open_fetcher(settings)
    fetched = [
        await fetcher.fetch(ImageReference(url=url)),
        await fetcher.fetch(ImageReference(url=file.as_uri())),
        await fetcher.fetch(ImageReference(url=f"file://localhost{file}")),
        await fetcher.fetch(ImageReference.model_construct(url=None, data=pictures.PNG)),
    ]
    assert {picture.pixel_hash for picture in fetched} == {PNG_HASH}


@pytest.mark.parametrize(
    ("name", "content_type"), [("/a.html", "text/html"), ("/a", "application/octet-stream")]
)
async def test_the_type_is_detected_from_the_bytes_not_the_name_or_the_header(
    host: PictureHost,
    settings: ImageSettings,
    open_fetcher: OpenFetcher,
    name: str,
    content_type: str,
) -> None:
    url = host.serve(name, response(pictures.PNG, content_type=content_type))
    fetched = await open_fetcher(settings).fetch(ImageReference(url=url))
    assert fetched.pixel_hash == PNG_HASH


async def test_absolute_and_relative_redirects_are_followed(
    host: PictureHost, settings: ImageSettings, open_fetcher: OpenFetcher
) -> None:
    host.serve("/a.png", response(pictures.PNG))
    host.serve("/old/b", redirect("../a.png"))
    url = host.serve("/old/a", redirect(host.url("/old/b")))
    fetched = await open_fetcher(settings).fetch(ImageReference(url=url))
    assert fetched.pixel_hash == PNG_HASH


async def test_pictures_are_fetched_concurrently(
    host: PictureHost, settings: ImageSettings, open_fetcher: OpenFetcher
) -> None:
    async def respond_once_all_have_asked(request: Request, writer: asyncio.StreamWriter) -> None:
        await host.wait_for_requests(8)
        writer.write(response(pictures.PNG))

    urls = [host.serve(f"/{number}.png", respond_once_all_have_asked) for number in range(8)]
    fetcher = open_fetcher(settings)
    fetched = await asyncio.gather(*(fetcher.fetch(ImageReference(url=url)) for url in urls))
    assert {picture.pixel_hash for picture in fetched} == {PNG_HASH}


async def test_no_more_pictures_are_downloaded_at_once_than_there_are_connections(
    host: PictureHost, settings: ImageSettings, open_fetcher: OpenFetcher
) -> None:
    release = asyncio.Semaphore(0)

    async def respond_when_released(request: Request, writer: asyncio.StreamWriter) -> None:
        await release.acquire()
        writer.write(response(pictures.PNG))

    urls = [host.serve(f"/{number}.png", respond_when_released) for number in range(8)]
    fetcher = open_fetcher(settings.model_copy(update={"connections": 2}))
    fetches = [asyncio.create_task(fetcher.fetch(ImageReference(url=url))) for url in urls]
    for finished in range(len(urls) - 1):
        await host.wait_for_requests(finished + 2)
        await spin()
        assert len(host.requests) == finished + 2
        release.release()
    release.release()
    await asyncio.gather(*fetches)


async def spin() -> None:
    """Let the event loop turn until every pending message on 127.0.0.1 has been delivered."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_bytes_have_the_same_size_limit(
    settings: ImageSettings, open_fetcher: OpenFetcher
) -> None:
    reference = ImageReference.model_construct(url=None, data=pictures.PNG + bytes(300_000))
    with pytest.raises(ImageRefused) as refusal:
        await open_fetcher(settings).fetch(reference)
    assert refusal.value.reason == "too-large"


async def endless(request: Request, writer: asyncio.StreamWriter) -> None:
    """An endless body without content-length."""
    writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
    while True:
        writer.write(bytes(50_000))
        await writer.drain()


async def endless_chunks(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"c350\r\n" + bytes(50_000) + b"\r\n")
        await writer.drain()


async def hang_up(request: Request, writer: asyncio.StreamWriter) -> None:
    return


FAILURES = {
    "missing": (response(b"", status="404 Not Found"), ImageRefused, "not-found"),
    "gone": (response(b"", status="410 Gone"), ImageRefused, "not-found"),
    "forbidden": (response(b"", status="403 Forbidden"), ImageRefused, "forbidden"),
    "login": (response(b"", status="401 Unauthorized"), ImageRefused, "forbidden"),
    "teapot": (response(b"", status="418 Teapot"), ImageRefused, "http-status"),
    "no-content": (response(b"", status="204 No Content"), ImageRefused, "http-status"),
    "partial": (response(pictures.PNG, status="206 Partial"), ImageRefused, "http-status"),
    "server-error": (response(b"", status="503 Busy"), PictureUnavailable, "http-status"),
    "rate-limit": (response(b"", status="429 Slow Down"), PictureUnavailable, "http-status"),
    "svg": (response(pictures.SVG, content_type="image/svg+xml"), ImageRefused, "svg"),
    "html-named-jpg": (response(pictures.HTML, content_type="image/jpeg"), ImageRefused, "html"),
    "empty": (response(b""), ImageRefused, "empty"),
    "announced-too-large": (response(b"x", length=10**9), ImageRefused, "too-large"),
    "endless": (endless, ImageRefused, "too-large"),
    "endless-chunks": (endless_chunks, ImageRefused, "too-large"),
    "gzip-bomb": (
        response(zlib.compress(bytes(10**7), wbits=31), content_encoding="gzip"),
        ImageRefused,
        "content-encoding",
    ),
    "shorter-than-announced": (
        response(pictures.PNG, length=5000),
        PictureUnavailable,
        "connection",
    ),
    "longer-than-announced": (response(pictures.PNG, length=60), ImageRefused, "broken"),
    "hang-up": (hang_up, PictureUnavailable, "connection"),
    "not-http": (b"SSH-2.0-OpenSSH_9.6\r\n", PictureUnavailable, "connection"),
    "two-lengths": (
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 9\r\n\r\nhello",
        PictureUnavailable,
        "connection",
    ),
    "negative-length": (
        b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n",
        PictureUnavailable,
        "connection",
    ),
    "endless-headers": (
        b"HTTP/1.1 200 OK\r\n" + b"x-filler: " + bytes(200_000),
        PictureUnavailable,
        "connection",
    ),
    "redirect-loop": (redirect("/picture"), ImageRefused, "redirects"),
    "redirect-nowhere": (response(b"", status="302 Found"), ImageRefused, "redirects"),
    "redirect-to-file": (redirect("file:///etc/hosts"), ImageRefused, "scheme"),
    "redirect-to-ftp": (redirect("ftp://127.0.0.1/a.png"), ImageRefused, "scheme"),
    "redirect-to-invalid-url": (redirect("http://[::1"), ImageRefused, "bad-url"),
    "redirect-with-credentials": (redirect("http://a:b@127.0.0.1/"), ImageRefused, "credentials"),
    "redirect-to-unspecified": (
        redirect("http://0.0.0.0/a.png"),
        ImageRefused,
        "forbidden-address",
    ),
}
"""Name -> the host's response, the error, its reason."""


@pytest.fixture(params=[False, True], ids=["no-cache", "cache"])
def two_connections(
    request: pytest.FixtureRequest, settings: ImageSettings, tmp_path: Path
) -> ImageSettings:
    """Two connections only, so that a test notices when a failure leaks one."""
    cache = tmp_path / "cache" if request.param else None
    return settings.model_copy(update={"http_cache": cache, "connections": 2})


@pytest.mark.parametrize(("reply", "error", "reason"), FAILURES.values(), ids=FAILURES)
async def test_a_failure_is_classified_and_leaks_no_connection(
    host: PictureHost,
    two_connections: ImageSettings,
    open_fetcher: OpenFetcher,
    reply: bytes,
    error: type[Exception],
    reason: str,
) -> None:
    fetcher = open_fetcher(two_connections)
    bad, good = host.serve("/picture", reply), host.serve("/good.png", response(pictures.PNG))
    for _ in range(3):
        with pytest.raises((ImageRefused, PictureUnavailable)) as raised:
            await fetcher.fetch(ImageReference(url=bad))
        assert (type(raised.value), raised.value.reason) == (error, reason)
    assert (await fetcher.fetch(ImageReference(url=good))).pixel_hash == PNG_HASH


async def silent(request: Request, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def dribble(request: Request, writer: asyncio.StreamWriter) -> None:
    """One byte at a time: every read succeeds, the whole never does."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0)


@pytest.mark.parametrize("respond", [silent, dribble])
async def test_a_slow_host_is_abandoned_at_the_timeout_and_leaks_no_connection(
    host: PictureHost,
    two_connections: ImageSettings,
    open_fetcher: OpenFetcher,
    clock: LoopClock,
    respond: Callable[[Request, asyncio.StreamWriter], Awaitable[None]],
) -> None:
    fetcher = open_fetcher(two_connections)
    good = ImageReference(url=host.serve("/good.png", response(pictures.PNG)))
    slow = ImageReference(url=host.serve("/slow", respond))
    fetches = [asyncio.create_task(fetcher.fetch(slow)) for _ in range(2)]
    await host.wait_for_requests(2)
    for _ in range(3):
        # Less than the limit of one read, so that only the limit of the whole fetch can expire.
        await spin()
        clock.advance(0.4 * two_connections.timeout_seconds)
    outcomes = await asyncio.gather(*fetches, return_exceptions=True)
    for outcome in outcomes:
        assert isinstance(outcome, PictureUnavailable)
        assert outcome.reason == "timeout"
    assert (await fetcher.fetch(good)).pixel_hash == PNG_HASH


async def test_cancelled_fetches_leak_no_connection(
    host: PictureHost, two_connections: ImageSettings, open_fetcher: OpenFetcher
) -> None:
    fetcher = open_fetcher(two_connections)
    good = ImageReference(url=host.serve("/good.png", response(pictures.PNG)))
    slow = [
        ImageReference(url=host.serve("/silent", silent)),
        ImageReference(url=host.serve("/dribble", dribble)),
    ]
    for turns in range(30):
        fetches = [asyncio.create_task(fetcher.fetch(one)) for one in (*slow, good, good)]
        for _ in range(2 * turns):
            await asyncio.sleep(0)
        for fetch in fetches:
            fetch.cancel()
        await asyncio.gather(*fetches, return_exceptions=True)
    assert (await fetcher.fetch(good)).pixel_hash == PNG_HASH


async def test_a_host_that_refuses_connections_is_unavailable(
    settings: ImageSettings, open_fetcher: OpenFetcher
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound but not listening
        port = unused.getsockname()[1]
        with pytest.raises(PictureUnavailable) as raised:
            await open_fetcher(settings).fetch(ImageReference(url=f"http://127.0.0.1:{port}/a.png"))
    assert raised.value.reason == "connection"
