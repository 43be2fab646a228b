"""What comes in through the fetcher's one door, and what does not."""

from __future__ import annotations

import asyncio
import os
import socket
import zlib

import encoded_pictures as pictures
import pytest
from picture_host import redirect, response

from operators.images.decode import decode
from schemas.errors import ImageRefused, PictureUnavailable
from schemas.looks import ImageReference

EXPECTED = decode(pictures.PNG, max_pixels=10_000, max_side=256).pixel_hash


def at(url: str) -> ImageReference:
    return ImageReference(url=url)


async def test_a_picture_is_the_same_from_a_url_a_file_and_bytes(
    host, settings, open_fetcher, tmp_path
):
    url = host.serve("/a.png", response(pictures.PNG))
    file = tmp_path / "root" / "été 1.png"
    file.write_bytes(pictures.PNG)
    fetcher = open_fetcher(settings)
    fetched = [
        await fetcher.fetch(at(url)),
        await fetcher.fetch(at(file.as_uri())),
        await fetcher.fetch(at(f"file://localhost{file}")),
        await fetcher.fetch(ImageReference.model_construct(url=None, data=pictures.PNG)),
    ]
    assert {picture.pixel_hash for picture in fetched} == {EXPECTED}


@pytest.mark.parametrize(
    ("name", "content_type"), [("/a.html", "text/html"), ("/a", "application/octet-stream")]
)
async def test_the_bytes_tell_the_type_not_the_name_or_the_header(
    host, settings, open_fetcher, name, content_type
):
    url = host.serve(name, response(pictures.PNG, content_type=content_type))
    assert (await open_fetcher(settings).fetch(at(url))).pixel_hash == EXPECTED


async def test_redirects_are_followed_relative_ones_too(host, settings, open_fetcher):
    host.serve("/a.png", response(pictures.PNG))
    host.serve("/old/b", redirect("../a.png"))
    url = host.serve("/old/a", redirect(host.url("/old/b")))
    assert (await open_fetcher(settings).fetch(at(url))).pixel_hash == EXPECTED


async def test_pictures_are_fetched_side_by_side(host, settings, open_fetcher):
    async def slow(request, writer):
        await asyncio.sleep(0.2)
        writer.write(response(pictures.PNG))

    urls = [host.serve(f"/{number}.png", slow) for number in range(12)]
    fetcher = open_fetcher(settings)
    async with asyncio.timeout(2):  # one after the other: 2.4 s
        fetched = await asyncio.gather(*(fetcher.fetch(at(url)) for url in urls))
    assert {picture.pixel_hash for picture in fetched} == {EXPECTED}


# Refusals over HTTP: path -> what the host says, reason.


async def dribble(request, writer):
    """A byte now and then: each read is quick, the whole is not."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.1)


async def silent(request, writer):
    await asyncio.sleep(5)


async def endless(request, writer):
    """No content-length, and no end."""
    writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
    while True:
        writer.write(bytes(50_000))
        await writer.drain()


async def endless_chunks(request, writer):
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"c350\r\n" + bytes(50_000) + b"\r\n")
        await writer.drain()


async def hang_up(request, writer):
    return


HOST_SAYS = {
    "missing": (response(b"", status="404 Not Found"), ImageRefused, "not-found"),
    "gone": (response(b"", status="410 Gone"), ImageRefused, "not-found"),
    "forbidden": (response(b"", status="403 Forbidden"), ImageRefused, "forbidden"),
    "login": (response(b"", status="401 Unauthorized"), ImageRefused, "forbidden"),
    "teapot": (response(b"", status="418 Teapot"), ImageRefused, "http-status"),
    "no-content": (response(b"", status="204 No Content"), ImageRefused, "http-status"),
    "part": (response(pictures.PNG, status="206 Partial"), ImageRefused, "http-status"),
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
    "dribble": (dribble, PictureUnavailable, "timeout"),
    "silent": (silent, PictureUnavailable, "timeout"),
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
    "redirect-to-rubbish": (redirect("http://[::1"), ImageRefused, "bad-url"),
    "redirect-with-credentials": (redirect("http://a:b@127.0.0.1/"), ImageRefused, "credentials"),
    "redirect-to-nobody": (redirect("http://0.0.0.0/a.png"), ImageRefused, "forbidden-address"),
}


@pytest.mark.parametrize("cached", [False, True], ids=["no-cache", "cache"])
@pytest.mark.parametrize(("says", "error", "reason"), HOST_SAYS.values(), ids=HOST_SAYS)
async def test_a_bad_answer_is_refused_and_the_next_picture_comes_through(
    host, settings, open_fetcher, tmp_path, says, error, reason, cached
):
    limits = {
        "http_cache": tmp_path / "cache" if cached else None,
        "connections": 2,  # what a bad answer leaves open would soon be missing
        "timeout_seconds": 1.0 if reason == "timeout" else 10.0,
    }
    fetcher = open_fetcher(settings.model_copy(update=limits))
    bad, good = host.serve("/picture", says), host.serve("/good.png", response(pictures.PNG))
    for _ in range(1 if reason == "timeout" else 3):
        with pytest.raises(error) as raised:
            await fetcher.fetch(at(bad))
        assert (type(raised.value), raised.value.reason) == (error, reason)
    assert (await fetcher.fetch(at(good))).pixel_hash == EXPECTED


@pytest.mark.parametrize("cached", [False, True], ids=["no-cache", "cache"])
async def test_slow_answers_and_impatient_callers_do_not_use_up_the_connections(
    host, settings, open_fetcher, tmp_path, cached
):
    cache = tmp_path / "cache" if cached else None
    limits = {"http_cache": cache, "connections": 2, "timeout_seconds": 1.0}
    fetcher = open_fetcher(settings.model_copy(update=limits))
    good = host.serve("/good.png", response(pictures.PNG))
    slow = [host.serve("/silent", silent), host.serve("/dribble", dribble)]
    results = await asyncio.gather(*(fetcher.fetch(at(u)) for u in slow), return_exceptions=True)
    assert {(type(error), error.reason) for error in results} == {(PictureUnavailable, "timeout")}
    for turn in range(30):
        callers = [asyncio.create_task(fetcher.fetch(at(url))) for url in (*slow, good, good)]
        await asyncio.sleep(0.001 * (turn % 6))
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
    assert (await fetcher.fetch(at(good))).pixel_hash == EXPECTED


# Addresses. The guard stands before the connection: the host must not see a request.


@pytest.mark.parametrize(
    "name",
    [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "0.0.0.0",
        "0",
        "169.254.169.254",
        "10.0.0.1",
        "①②⑦.0.0.1",
    ],
)
async def test_private_addresses_are_refused_in_every_spelling(host, settings, open_fetcher, name):
    host.serve("/a.png", response(pictures.PNG))
    fetcher = open_fetcher(settings.model_copy(update={"allow_private_addresses": False}))
    with pytest.raises((ImageRefused, PictureUnavailable)) as raised:
        await fetcher.fetch(at(host.url("/a.png", name)))
    assert raised.value.reason in ("forbidden-address", "bad-url", "dns")
    assert not host.requests


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "127.1", "2130706433"])
async def test_the_usual_spellings_are_understood_where_private_addresses_are_allowed(
    host, settings, open_fetcher, name
):
    """So that the refusals above are the guard's, not a failure to understand the name."""
    host.serve("/a.png", response(pictures.PNG))
    fetched = await open_fetcher(settings).fetch(at(host.url("/a.png", name)))
    assert fetched.pixel_hash == EXPECTED


def answers(*addresses: str):
    """A resolver that gives its answers one after the other; the last for ever."""
    left = list(addresses)

    async def getaddrinfo(host, port, **_):
        answer = left.pop(0) if len(left) > 1 else left[0]
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in answer.split()
        ]

    return getaddrinfo


async def test_a_name_that_also_means_a_private_address_is_refused(
    host, settings, open_fetcher, monkeypatch
):
    resolver = answers("93.184.216.34 127.0.0.1")
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolver)
    fetcher = open_fetcher(settings.model_copy(update={"allow_private_addresses": False}))
    with pytest.raises(ImageRefused) as refusal:
        await fetcher.fetch(at(host.url("/a.png", "shop.example")))
    assert refusal.value.reason == "forbidden-address"
    assert not host.requests


async def test_the_address_checked_is_the_address_connected_to(
    host, settings, open_fetcher, monkeypatch
):
    """A name server that says "public" first and "127.0.0.1" afterwards gains nothing."""
    # 192.0.2.1 is nobody's (RFC 5737) but stands in here for a public address that is checked.
    monkeypatch.setattr(
        "operators.images.guard.IPv4Address.is_global",
        property(lambda address: str(address) == "192.0.2.1"),
    )
    connected: list[str] = []

    class Network:
        async def connect_tcp(self, address, *_):
            connected.append(address)
            raise OSError("stop here")

    resolver = answers("192.0.2.1", "127.0.0.1")
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolver)
    monkeypatch.setattr("operators.images.transport.httpcore.AnyIOBackend", Network)
    fetcher = open_fetcher(settings.model_copy(update={"allow_private_addresses": False}))
    with pytest.raises(OSError, match="stop here"):
        await fetcher.fetch(at(host.url("/a.png", "shop.example")))
    assert connected == ["192.0.2.1"]


async def test_a_redirect_to_a_private_address_is_refused(
    host, settings, open_fetcher, monkeypatch
):
    monkeypatch.setattr(
        "operators.images.guard.IPv4Address.is_global",
        property(lambda address: str(address) == "127.0.0.1"),
    )
    host.serve("/a.png", response(pictures.PNG))
    url = host.serve("/b.png", redirect(host.url("/a.png", "127.0.0.2")))
    fetcher = open_fetcher(settings.model_copy(update={"allow_private_addresses": False}))
    with pytest.raises(ImageRefused) as refusal:
        await fetcher.fetch(at(url))
    assert refusal.value.reason == "forbidden-address"
    assert [request.path for request in host.requests] == ["/b.png"]


async def test_a_name_without_address_is_unavailable(settings, open_fetcher, monkeypatch):
    async def nobody(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", nobody)
    with pytest.raises(PictureUnavailable) as raised:
        await open_fetcher(settings).fetch(at("http://shop.example/a.png"))
    assert raised.value.reason == "dns"


async def test_a_host_that_refuses_connections_is_unavailable(settings, open_fetcher):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(PictureUnavailable) as raised:
            await open_fetcher(settings).fetch(at(f"http://127.0.0.1:{port}/a.png"))
    assert raised.value.reason == "connection"


# Files


@pytest.fixture
def tree(tmp_path, settings):
    """root/ with files, links and traps; a secret beside it."""
    root = settings.allowed_roots[0]
    (tmp_path / "secret.png").write_bytes(pictures.PNG)
    (tmp_path / "root-2").mkdir()
    (tmp_path / "root-2" / "a.png").write_bytes(pictures.PNG)
    (root / "a.png").write_bytes(pictures.PNG)
    (root / "folder").mkdir()
    (root / "link-inside.png").symlink_to(root / "a.png")
    (root / "link-out.png").symlink_to(tmp_path / "secret.png")
    (root / "folder-out").symlink_to(tmp_path)
    (root / "circle.png").symlink_to(root / "circle.png")
    (root / "large.png").write_bytes(pictures.PNG + bytes(300_000))
    os.mkfifo(root / "pipe.png")
    return tmp_path


FILES = {
    "outside": ("file://{}/secret.png", "outside-roots"),
    "dots": ("file://{}/root/../secret.png", "outside-roots"),
    "encoded-dots": ("file://{}/root/%2e%2e/secret.png", "outside-roots"),
    "similar-root": ("file://{}/root-2/a.png", "outside-roots"),
    "outside-and-missing": ("file://{}/nothing.png", "outside-roots"),
    "link-out": ("file://{}/root/link-out.png", "outside-roots"),
    "link-folder-out": ("file://{}/root/folder-out/secret.png", "outside-roots"),
    "link-circle": ("file://{}/root/circle.png", "not-found"),
    "missing": ("file://{}/root/nothing.png", "not-found"),
    "below-a-file": ("file://{}/root/a.png/b.png", "not-found"),
    "folder": ("file://{}/root/folder", "not-a-file"),
    "root": ("file://{}/root", "not-a-file"),
    "pipe": ("file://{}/root/pipe.png", "not-a-file"),
    "device": ("file:///dev/zero", "outside-roots"),
    "large": ("file://{}/root/large.png", "too-large"),
    "other-host": ("file://server{}/root/a.png", "bad-url"),
    "relative": ("file:root/a.png", "bad-url"),
    "zero-byte": ("file://{}/root/a.png%00.jpg", "bad-url"),
    "long-name": ("file://{}/root/" + "a" * 300 + ".png", "unreadable"),
}


@pytest.mark.parametrize(("url", "reason"), FILES.values(), ids=FILES)
async def test_files_that_are_not_to_be_read_are_refused(tree, settings, open_fetcher, url, reason):
    with pytest.raises(ImageRefused) as refusal:
        await open_fetcher(settings).fetch(at(url.format(tree)))
    assert refusal.value.reason == reason


async def test_a_link_that_stays_inside_its_root_is_followed(tree, settings, open_fetcher):
    url = f"file://{tree}/root/link-inside.png"
    assert (await open_fetcher(settings).fetch(at(url))).pixel_hash == EXPECTED


async def test_without_roots_no_file_is_read(tree, settings, open_fetcher):
    fetcher = open_fetcher(settings.model_copy(update={"allowed_roots": ()}))
    with pytest.raises(ImageRefused) as refusal:
        await fetcher.fetch(at(f"file://{tree}/root/a.png"))
    assert refusal.value.reason == "outside-roots"


async def test_bytes_have_the_same_limit(settings, open_fetcher):
    reference = ImageReference.model_construct(url=None, data=pictures.PNG + bytes(300_000))
    with pytest.raises(ImageRefused) as refusal:
        await open_fetcher(settings).fetch(reference)
    assert refusal.value.reason == "too-large"
