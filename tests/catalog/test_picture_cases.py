"""Pictures as vendors' hosts answer for them (tests/data/feeds), fetched and applied."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from operators.images.fetch import PictureFetcher
from schemas.settings import ImageSettings
from tests.catalog.feed_shop import DATA, FeedShop, plain
from tests.images.picture_host import PictureHost, picture_host, response

PICTURES = DATA / "pics"
OK = (PICTURES / "ok.jpg").read_bytes()
REPLIES = {
    "/awschunked.jpg": response(OK, content_encoding="aws-chunked"),
    "/ceutf8.jpg": response(OK, content_encoding="utf-8"),
    "/cebinary.jpg": response(OK, content_encoding="binary"),
    "/gz.jpg": response(gzip.compress(OK), content_encoding="gzip"),
    "/octet.jpg": response(OK, content_type="application/octet-stream"),
    "/503.jpg": response(b"", status="503 Away"),
    "/404.jpg": response(b"", status="404 Not Found"),
    "/423.jpg": response(b"", status="423 Locked"),
    "/420.jpg": response(b"", status="420 Calm"),
    "/202.jpg": response(b"", status="202 Accepted"),
    "/429.jpg": response(b"", status="429 Slowly", Retry_After="600"),
    "/slow.jpg": response(b"", status="504 Slow"),
    "/hot.jpg": response(b"<html>no hotlinks</html>", content_type="text/html"),
    "/login.jpg": response(b"<html>log in</html>", content_type="text/html"),
    **{
        path: response(OK)
        for path in (
            *(f"/pic/ok{n}.jpg" for n in range(1, 8)),
            "/red%20dress.jpg",
            "/red%20%20dress.jpg",
            "/%C3%A9/%E3%82%B9%E3%82%AB%E3%83%BC%E3%83%88.jpg",
            "/50%off.jpg",
            "/a%20b%2Bc.jpg?x=1%262",
            "/a[1]|b.jpg",
            "/a+b.jpg?w=1&h=2",
        )
    },
}


@dataclass(frozen=True, slots=True)
class HostedShop:
    """A shop whose feed's pictures are on ``host``."""

    shop: FeedShop
    host: PictureHost
    folder: Path

    async def ingest(self, file: str) -> None:
        text = (DATA / file).read_text(encoding="utf-8")
        text = text.replace("127.0.0.1:18437", f"127.0.0.1:{self.host.port}")
        path = self.folder / file
        lines = text.replace("file://PICTURES", PICTURES.as_uri()).splitlines(keepends=True)
        # Retry-After shuts the host for all that follow.
        lines.sort(key=lambda line: "/429" in line)
        path.write_text("".join(lines), encoding="utf-8")
        await self.shop.ingest(path)

    async def outcome(self) -> tuple[set[str], dict[str, str]]:
        """The products that are indexed, and why others, or their main pictures, are waited for."""
        entries = {p.product_id: await self.shop.entry(p.product_id) for p in self.shop.packets}
        pending = {i: e.picture_pending.reason for i, e in entries.items() if e.picture_pending}
        return {i for i, entry in entries.items() if entry.indexed}, pending


@pytest.fixture
async def hosted(tmp_path: Path) -> AsyncIterator[HostedShop]:
    async with picture_host() as host:
        host.replies.update(REPLIES)
        settings = ImageSettings(
            allowed_roots=(PICTURES,),
            private_hosts=("127.0.0.0/8",),
            ports=(80, *range(1024, 65536)),
            http_cache=None,
            timeout_seconds=2.0,
        )
        fetcher = PictureFetcher(settings)
        yield HostedShop(FeedShop(plain(), pictures=fetcher), host, tmp_path)
        await fetcher.close()


async def test_pictures_over_http(hosted: HostedShop) -> None:
    await hosted.ingest("pictures_http.jsonl")
    indexed, pending = await hosted.outcome()
    second_picture = {
        "main503_second_ok": "http-status",
        "deadhost_second_ok": "dns",
        "slow_second_ok": "http-status",
    }
    assert indexed >= {*second_picture, "main404_second_ok", "na"}
    assert indexed >= {"awschunked", "ceutf8", "cebinary", "octet"}
    assert indexed >= {"space", "dblspace", "accent", "pct", "enc", "brackets", "plus"}
    assert second_picture.items() <= pending.items(), "the main picture is tried again"
    waits = {f"p{status}": "http-status" for status in (202, 420, 423, 429)}
    refused = {"hotlink": "html", "login": "html", "gz": "content-encoding"}
    assert (waits | refused).items() <= pending.items()
    assert indexed.isdisjoint(waits | refused)
    assert await hosted.shop.living() >= {*waits, *refused}, "they wait; nothing is lost"


async def test_six_sizes_of_one_picture(hosted: HostedShop) -> None:
    await hosted.ingest("size_variants_one_picture.jsonl")
    indexed, pending = await hosted.outcome()
    assert (indexed, pending) == ({"vXS", "vS", "vM", "vL", "vXL", "vXXL"}, {})
