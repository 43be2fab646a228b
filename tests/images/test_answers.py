"""Passing failures are not final: statuses, Retry-After, and unused content codings."""

from __future__ import annotations

import gzip

import pytest

from schemas.errors import ImageRefused, PictureUnavailable
from schemas.looks import ImageReference
from schemas.settings import ImageSettings
from tests.images import encoded_pictures as pictures
from tests.images.conftest import OpenFetcher
from tests.images.encoded_pictures import PNG_HASH
from tests.images.picture_host import PictureHost, redirect, response

DATE = "Thu, 26 Nov 2026 08:00:00 GMT"


@pytest.mark.parametrize(
    "status",
    [
        202,
        408,
        409,
        420,
        421,
        423,
        425,
        429,
        449,
        460,
        499,
        *range(500, 512),
        *range(520, 531),
        999,
    ],
)
async def test_a_transient_status_is_not_a_refusal(
    host: PictureHost, settings: ImageSettings, open_fetcher: OpenFetcher, status: int
) -> None:
    url = host.serve("/a.png", response(b"later", status=f"{status} Later"))
    with pytest.raises(PictureUnavailable) as away:
        await open_fetcher(settings).fetch(ImageReference(url=url))
    assert away.value.reason == "http-status"
    assert away.value.retry_after_seconds == 0.0


@pytest.mark.parametrize(
    ("status", "retry_after", "seconds"),
    [
        (429, "120", 120.0),
        (503, "0", 0.0),
        (503, " 30 ", 30.0),
        (420, "86400", 86_400.0),
        (403, "60", 60.0),  # a rate limit in other words
        (429, "999999999", 86_400.0),
        (429, "9" * 5000, 86_400.0),
        (503, "Thu, 26 Nov 2026 08:10:00 GMT", 600.0),
        (503, "Thursday, 26-Nov-26 08:10:00 GMT", 600.0),
        (503, "Thu Nov 26 08:10:00 2026", 600.0),
        (503, "Thu, 26 Nov 2026 10:10:00 +0200", 600.0),
        (503, "Thu, 26 Nov 2026 07:00:00 GMT", 0.0),
        (503, "Fri, 26 Nov 2156 08:10:00 GMT", 86_400.0),
        (503, "-5", 0.0),
        (503, "1.5", 0.0),
        (503, "soon", 0.0),
        (503, "\u00b2".encode().decode("latin-1"), 0.0),
    ],
)
async def test_a_host_says_when_to_come_back(
    host: PictureHost,
    settings: ImageSettings,
    open_fetcher: OpenFetcher,
    status: int,
    retry_after: str,
    seconds: float,
) -> None:
    reply = response(b"", status=f"{status} Wait", retry_after=retry_after, date=DATE)
    with pytest.raises(PictureUnavailable) as away:
        await open_fetcher(settings).fetch(ImageReference(url=host.serve("/a.png", reply)))
    assert away.value.retry_after_seconds == seconds


async def test_what_is_gone_stays_gone_whatever_it_says_of_coming_back(
    host: PictureHost, settings: ImageSettings, open_fetcher: OpenFetcher
) -> None:
    url = host.serve("/a.png", response(b"", status="404 Not Found", retry_after="60"))
    with pytest.raises(ImageRefused) as refusal:
        await open_fetcher(settings).fetch(ImageReference(url=url))
    assert refusal.value.reason == "not-found"


@pytest.mark.parametrize(
    "coding",
    [
        *("", "identity", "Identity", "utf-8", "UTF-8", "none", "binary", "aws-chunked"),
        *("gzip", "br", "identity, gzip"),  # named, and not used
    ],
)
async def test_an_invalid_content_coding_does_not_refuse_the_picture(
    host: PictureHost, settings: ImageSettings, open_fetcher: OpenFetcher, coding: str
) -> None:
    url = host.serve("/a.png", response(pictures.PNG, content_encoding=coding))
    picture = await open_fetcher(settings).fetch(ImageReference(url=url))
    assert picture.pixel_hash == PNG_HASH


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "utf-8, gzip", "GZIP"])
async def test_an_encoded_picture_is_refused(
    host: PictureHost, settings: ImageSettings, open_fetcher: OpenFetcher, coding: str
) -> None:
    reply = response(gzip.compress(pictures.PNG), content_encoding=coding)
    with pytest.raises(ImageRefused) as refusal:
        await open_fetcher(settings).fetch(ImageReference(url=host.serve("/a.png", reply)))
    assert refusal.value.reason == "content-encoding"


async def test_a_false_length_of_a_chunked_body_is_ignored(
    host: PictureHost, settings: ImageSettings, open_fetcher: OpenFetcher
) -> None:
    chunk = f"{len(pictures.PNG):x}\r\n".encode() + pictures.PNG + b"\r\n0\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 999999999\r\n\r\n"
    url = host.serve("/a.png", head + chunk)
    picture = await open_fetcher(settings).fetch(ImageReference(url=url))
    assert picture.pixel_hash == PNG_HASH


async def test_a_chain_of_five_redirects_is_followed(
    host: PictureHost, settings: ImageSettings, open_fetcher: OpenFetcher
) -> None:
    host.serve("/5", response(pictures.PNG))
    for number in range(5):
        host.serve(f"/{number}", redirect(f"/{number + 1}"))
    picture = await open_fetcher(settings).fetch(ImageReference(url=host.url("/0")))
    assert picture.pixel_hash == PNG_HASH
