"""XML items of any size or depth: refused one by one, in bounded memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from operators.catalog.feeds import xml_rows
from operators.catalog.feeds.read import FeedRow, ReadPacket, RejectedRow, read_feed
from operators.catalog.feeds.source import FeedSource
from schemas.errors import InvalidFile
from tests.catalog.feed_shop import plain

LIMIT = 200_000


def item(number: int, more: str = "") -> str:
    return (
        f"<item><id>{number}</id><title>Skirt</title><price>9 USD</price>"
        f"<image_link>https://x/{number}.jpg</image_link>{more}</item>"
    )


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[FeedRow]]:
    monkeypatch.setattr(xml_rows, "MAX_ROW_BYTES", LIMIT)

    def read(*items: str, feed: str = "") -> list[FeedRow]:
        path = tmp_path / "feed.xml"
        path.write_text(f"<rss><channel>{''.join(items)}</channel></rss>")
        return list(read_feed(FeedSource(path.name, path), plain(feed), version=1))

    return read


def outcome(rows: list[FeedRow]) -> list[str]:
    return [
        row.packet.product_id if isinstance(row, ReadPacket) else row.reason
        for row in rows
        if isinstance(row, ReadPacket | RejectedRow)
    ]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ("<a>" * 60 + "</a>" * 60, "too-deep"),
        ("<a>" * 20_000 + "x" + "</a>" * 20_000, "too-deep"),
        ("<a/>" * 20_000, "too-long"),
        ("<a>x</a>" * 20_000, "too-long"),
        (f"<a>{'x' * 3 * LIMIT}</a>", "too-long"),
        (f"<a>{'<b>x</b>' * 20_000}</a>", "too-long"),
    ],
)
def test_one_item_is_refused_and_the_others_are_sent(
    read: Callable[..., list[FeedRow]], more: str, reason: str
) -> None:
    assert outcome(read(item(1), item(2, more), item(3))) == ["1", reason, "3"]


def test_many_attributes_count(read: Callable[..., list[FeedRow]]) -> None:
    attributes = " ".join(f'a{n}=""' for n in range(4_000))
    bad = item(2, f"<a {attributes}/>")
    found = read(item(1), bad, item(3), feed="attributes = true")
    assert outcome(found) == ["1", "too-long", "3"]
    assert outcome(read(item(1), bad, item(3))) == ["1", "2", "3"], "they are not kept"


@pytest.mark.parametrize("token", ['<a b="{}"/>', "<!--{}-->", "<{}/>"])
def test_a_tag_without_end_ends_the_file(read: Callable[..., list[FeedRow]], token: str) -> None:
    with pytest.raises(InvalidFile, match="a tag or comment of more than"):
        read(item(1), item(2, token.format("x" * 10 * LIMIT)))


def test_depth_without_end_ends_the_file(read: Callable[..., list[FeedRow]]) -> None:
    with pytest.raises(InvalidFile, match="nested more than 100,000 levels"):
        read(item(1), f"<item>{'<a>' * 150_000}")


@pytest.mark.parametrize("more", ["<a/>" * 100_000, f"<a>{'x' * 30 * LIMIT}</a>"])
def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str) -> None:
    monkeypatch.setattr(xml_rows, "MAX_ROW_BYTES", LIMIT)
    path = tmp_path / "feed.xml"
    path.write_text(f"<rss><channel>{item(1)}<item>{more}")
    tracemalloc.start()
    rows = read_feed(FeedSource(path.name, path), plain(), version=1)
    assert isinstance(next(rows), ReadPacket)
    with pytest.raises(InvalidFile):
        list(rows)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * LIMIT
