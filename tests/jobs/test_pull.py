"""Files that are pulled over HTTP: only when they changed, and with words for what went wrong."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from dataflows.jobs.ingest import IngestRequest, run_ingest
from operators.catalog.ingest.report import IngestReport
from schemas.catalog import PacketKind
from schemas.errors import InvalidFile, LookSyncError, Unavailable
from schemas.settings import Settings, load_settings
from tests.catalog.feed_shop import plain
from tests.images.picture_host import (
    PictureHost,
    Request,
    Respond,
    picture_host,
    redirect,
    response,
)

FEED = b"id\ttitle\timage_link\tprice\n1\tSkirt\thttps://x/1.jpg\t9 USD\n"


@pytest_asyncio.fixture
async def host() -> AsyncIterator[PictureHost]:
    async with picture_host() as made:
        yield made


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(
        topics={"folder": tmp_path / "topics"},
        catalog={"feed_folder": tmp_path / "feeds", "private_feed_hosts": ["127.0.0.1"]},
    )


async def pull(settings: Settings, address: str, **changes: Any) -> IngestReport:
    request = replace(IngestRequest([address], plain()), **changes)
    return await asyncio.to_thread(run_ingest, request, settings)


def with_validator(name: str, value: str) -> Respond:
    """Replies 304 to a request that has the file already."""
    condition = {"etag": "if-none-match", "last-modified": "if-modified-since"}[name]

    async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
        has_it = request.headers.get(condition) == value
        status = "304 Not Modified" if has_it else "200 OK"
        validator = {name.replace("-", "_"): value}
        writer.write(response(b"" if has_it else FEED, status=status, length=None, **validator))
        await writer.drain()

    return respond


@pytest.mark.parametrize(
    ("name", "value"), [("etag", '"v1"'), ("last-modified", "Wed, 25 Nov 2026 10:00:00 GMT")]
)
async def test_a_file_that_has_not_changed_is_not_sent_again(
    host: PictureHost, settings: Settings, name: str, value: str
) -> None:
    url = host.serve("/feed.tsv?token=secret", with_validator(name, value))
    assert (await pull(settings, url)).sent == 1
    again = await pull(settings, url)
    assert (again.sent, again.unchanged) == (0, [url.partition("?")[0]])
    assert (await pull(settings, url, force=True)).sent == 1


async def test_a_file_is_ingested_again_for_another_purpose(
    host: PictureHost, settings: Settings
) -> None:
    url = host.serve("/feed.tsv", with_validator("etag", '"v1"'))
    assert (await pull(settings, url, dry_run=True)).sent == 1
    assert (await pull(settings, url)).sent == 1, "a dry run has ingested nothing"
    assert (await pull(settings, url, kind=PacketKind.PATCH)).sent == 1
    other = plain(description="description")
    assert (await pull(settings, url, mapping=other)).unchanged == [url], "it is the same mapping"
    corrected = plain('time_zone = "Europe/Paris"')
    assert (await pull(settings, url, mapping=corrected)).sent == 1


async def test_a_file_with_too_many_refused_rows_is_pulled_again(
    host: PictureHost, settings: Settings
) -> None:
    bad = response(FEED.replace(b"9 USD", b"soon"), etag='"v1"')
    url = host.serve("/feed.tsv", bad)
    for _ in range(2):
        report = await pull(settings, url)
        assert report.failed
        assert report.unchanged == []
    assert "if-none-match" not in host.requests[-1].headers


async def test_redirects_and_compression(host: PictureHost, settings: Settings) -> None:
    host.serve("/real", response(gzip.compress(FEED)))
    url = host.serve("/feed", redirect("/real"))
    assert (await pull(settings, url)).sent == 1


@pytest.mark.parametrize(
    ("reply", "kind", "output"),
    [
        (response(b"", status="503 Away"), Unavailable, "503"),
        (response(b"", status="429 Slowly"), Unavailable, "429"),
        (response(b"", status="202 Accepted"), Unavailable, "202"),
        (response(b"", status="404 Not Found"), InvalidFile, "404"),
        (response(FEED, content_encoding="br"), InvalidFile, "'br'"),
        (response(FEED, length=len(FEED) + 10), Unavailable, "/feed.tsv"),
        (redirect("/feed.tsv"), InvalidFile, "redirects"),
    ],
)
async def test_what_cannot_be_fetched_is_reported_with_its_address(
    host: PictureHost,
    settings: Settings,
    reply: bytes,
    kind: type[LookSyncError],
    output: str,
) -> None:
    url = host.serve("/feed.tsv", reply)
    with pytest.raises(kind) as error:
        await pull(settings, url)
    assert url in str(error.value)
    assert output in str(error.value)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://ann:s3cret@shop.example/feed.tsv", "http://shop.example/feed.tsv"),
        ("https://s3cret@shop.example:8443/a/@b?t=s3cret", "https://shop.example:8443/a/@b"),
        ("http://ann:@:s3cret@shop.example/feed.tsv#s3cret", "http://shop.example/feed.tsv"),
        ("http://ann:s3cret/x@shop.example/feed.tsv", "http://..."),
        ("http://ann:s3cret?x@shop.example/feed.tsv", "http://..."),
    ],
)
async def test_what_is_secret_in_an_address_is_not_printed(
    settings: Settings, address: str, shown: str
) -> None:
    with pytest.raises(InvalidFile) as error:
        await pull(settings, address)
    assert str(error.value).startswith(f"{shown}: ")
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize("address", ["ftp://ann:s3cret@x/feed.tsv", "s3://b/feed.tsv", "file:///f"])
async def test_addresses_of_other_kinds_are_told_apart_from_files(
    settings: Settings, address: str
) -> None:
    with pytest.raises(InvalidFile, match=f"begins with {address.partition('//')[0]}//") as error:
        await pull(settings, address)
    assert "s3cret" not in str(error.value)


async def test_a_page_in_place_of_a_file_is_not_an_empty_file(
    host: PictureHost, settings: Settings
) -> None:
    page = b"<!doctype html><html><title>Log in</title></html>"
    url = host.serve("/feed.tsv", response(page, etag='"v1"'))
    for _ in range(2):
        report = await pull(settings, url, snapshot=True, force=True)
        assert "feed.id" in report.broken[0]
        assert report.withheld is not None
    empty = host.serve("/empty.tsv", response(FEED.partition(b"\n")[0]))
    assert not (await pull(settings, empty)).failed


async def test_private_hosts_are_listed(host: PictureHost, settings: Settings) -> None:
    closed = load_settings(topics={"folder": settings.topics.folder})
    with pytest.raises(InvalidFile, match=r"catalog\.private_feed_hosts"):
        await pull(closed, host.serve("/feed.tsv", response(FEED)))
