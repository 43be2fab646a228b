"""The guard checks before connecting: a refused host never receives a request."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import httpcore
import pytest

from schemas.errors import ImageRefused, PictureUnavailable
from schemas.looks import ImageReference
from schemas.settings import ImageSettings
from tests.images import encoded_pictures as pictures
from tests.images.conftest import OpenFetcher
from tests.images.encoded_pictures import PNG_HASH
from tests.images.picture_host import PictureHost, picture_host, redirect, response

AddressInfo: TypeAlias = list[tuple[int, int, int, str, tuple[str, int]]]


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
async def test_private_addresses_are_refused_in_every_spelling(
    host: PictureHost, settings: ImageSettings, open_fetcher: OpenFetcher, name: str
) -> None:
    host.serve("/a.png", response(pictures.PNG))
    fetcher = open_fetcher(settings.model_copy(update={"private_hosts": ()}))
    with pytest.raises((ImageRefused, PictureUnavailable)) as raised:
        await fetcher.fetch(ImageReference(url=host.url("/a.png", name)))
    assert raised.value.reason in ("private-address", "forbidden-address", "bad-url", "dns")
    assert not host.requests


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "127.1", "2130706433"])
async def test_the_same_spellings_connect_where_private_addresses_are_allowed(
    host: PictureHost, settings: ImageSettings, open_fetcher: OpenFetcher, name: str
) -> None:
    """The refusals above are therefore the guard's, not the resolver's."""
    host.serve("/a.png", response(pictures.PNG))
    fetched = await open_fetcher(settings).fetch(ImageReference(url=host.url("/a.png", name)))
    assert fetched.pixel_hash == PNG_HASH


def resolver_of(*addresses: str) -> Callable[..., Awaitable[AddressInfo]]:
    """A resolver with these answers in turn, the last one for good."""
    left = list(addresses)

    async def getaddrinfo(host: str, port: int, **_: object) -> AddressInfo:
        answer = left.pop(0) if len(left) > 1 else left[0]
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in answer.split()
        ]

    return getaddrinfo


async def test_a_name_with_one_private_address_is_refused(
    host: PictureHost,
    settings: ImageSettings,
    open_fetcher: OpenFetcher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolver = resolver_of("93.184.216.34 127.0.0.1")
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolver)
    fetcher = open_fetcher(settings.model_copy(update={"private_hosts": ()}))
    with pytest.raises(ImageRefused) as refusal:
        await fetcher.fetch(ImageReference(url=host.url("/a.png", "shop.example")))
    assert refusal.value.reason == "private-address"
    assert not host.requests


async def test_the_address_checked_is_the_address_connected_to(
    host: PictureHost,
    settings: ImageSettings,
    open_fetcher: OpenFetcher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS rebinding: the second answer, 127.0.0.1, is never used."""
    # 192.0.2.1 (RFC 5737, for documentation) stands in for a public address.
    monkeypatch.setattr(
        "operators.images.addresses.IPv4Address.is_global",
        property(lambda address: str(address) == "192.0.2.1"),
    )
    connected: list[str] = []

    class RefusingNetwork(httpcore.AsyncMockBackend):
        async def connect_tcp(self, host: str, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
            connected.append(host)
            raise OSError("stop here")

    resolver = resolver_of("192.0.2.1", "127.0.0.1")
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolver)
    monkeypatch.setattr(httpcore, "AnyIOBackend", lambda: RefusingNetwork([]))
    fetcher = open_fetcher(settings.model_copy(update={"private_hosts": ()}))
    with pytest.raises(OSError, match="stop here"):
        await fetcher.fetch(ImageReference(url=host.url("/a.png", "shop.example")))
    assert connected == ["192.0.2.1"]


async def test_a_redirect_to_a_private_address_is_refused(
    host: PictureHost,
    settings: ImageSettings,
    open_fetcher: OpenFetcher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "operators.images.addresses.IPv4Address.is_global",
        property(lambda address: str(address) == "127.0.0.1"),
    )
    host.serve("/a.png", response(pictures.PNG))
    url = host.serve("/b.png", redirect(host.url("/a.png", "127.0.0.2")))
    fetcher = open_fetcher(settings.model_copy(update={"private_hosts": ()}))
    with pytest.raises(ImageRefused) as refusal:
        await fetcher.fetch(ImageReference(url=url))
    assert refusal.value.reason == "private-address"
    assert [request.path for request in host.requests] == ["/b.png"]


async def test_a_name_without_address_is_unavailable(
    settings: ImageSettings, open_fetcher: OpenFetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_such_name(*_: object, **__: object) -> AddressInfo:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", no_such_name)
    with pytest.raises(PictureUnavailable) as raised:
        await open_fetcher(settings).fetch(ImageReference(url="http://shop.example/a.png"))
    assert raised.value.reason == "dns"


async def test_every_hop_is_held_to_the_open_ports(
    host: PictureHost, settings: ImageSettings, open_fetcher: OpenFetcher
) -> None:
    async with picture_host() as other:
        target = other.serve("/a.png", response(pictures.PNG))
        url = host.serve("/b.png", redirect(target))
        fetcher = open_fetcher(settings.model_copy(update={"ports": (host.port,)}))
        with pytest.raises(ImageRefused) as refusal:
            await fetcher.fetch(ImageReference(url=url))
        assert refusal.value.reason == "port"
        assert not other.requests


async def test_a_listed_name_is_opened_by_its_name_only(
    host: PictureHost,
    settings: ImageSettings,
    open_fetcher: OpenFetcher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolver_of("127.0.0.1"))
    host.serve("/a.png", response(pictures.PNG))
    fetcher = open_fetcher(settings.model_copy(update={"private_hosts": ("shop.internal",)}))
    url = host.url("/a.png", "SHOP.internal.")
    assert (await fetcher.fetch(ImageReference(url=url))).pixel_hash == PNG_HASH
    with pytest.raises(ImageRefused) as refusal:
        await fetcher.fetch(ImageReference(url=host.url("/a.png", "other.internal")))
    assert refusal.value.reason == "private-address"
