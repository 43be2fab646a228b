"""Vendors' files in five formats, valid and invalid."""

from __future__ import annotations

import csv
import json
import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from operators.catalog.feeds.read import FeedRow, ReadPacket, RejectedRow, read_feed
from operators.catalog.feeds.rows import MAX_ROW_BYTES
from operators.catalog.feeds.source import FeedSource
from operators.catalog.mapping import Mapping
from schemas.catalog import Packet, PacketKind
from schemas.errors import InvalidFile, Misconfigured
from tests.catalog.small_shop import mapping_of
from tests.catalog.vendor_payloads import ATOM, GOOGLE, KISETSU, NORTHFOLD, RSS, ZARI

FLAT = {name: value for name, value in GOOGLE.items() if isinstance(value, str)}


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def write_rows(path: Path, rows: list[dict[str, Any]], delimiter: str = ",") -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def read(path: Path, mapping: Mapping, version: int | None = None) -> Iterator[FeedRow]:
    return read_feed(FeedSource.of(str(path)), mapping, version)


def split(read: Iterable[FeedRow]) -> tuple[list[Packet], list[RejectedRow]]:
    packets: list[Packet] = []
    rejected: list[RejectedRow] = []
    for row in read:
        if isinstance(row, ReadPacket):
            packets.append(row.packet)
        elif isinstance(row, RejectedRow):
            rejected.append(row)
    return packets, rejected


@pytest.mark.parametrize(("ending", "delimiter"), [("csv", ","), ("tsv", "\t"), ("CSV", ",")])
def test_separated_values(tmp_path: Path, ending: str, delimiter: str, google: Mapping) -> None:
    path = write_rows(
        tmp_path / f"feed.{ending}",
        [
            FLAT,
            {**FLAT, "id": "g-2", "price": "soon", "sale_price": ""},
            {**FLAT, "id": ""},
            {**FLAT, "id": "g-4", "description": 'two\nlines, "quoted"'},
            {**FLAT, "id": "g-5"},
        ],
        delimiter,
    )
    packets, rejected = split(read(path, google, version=7))
    assert [packet.key for packet in packets] == [
        "google_merchant:g-1",
        "google_merchant:g-4",
        "google_merchant:g-5",
    ]
    assert (packets[0].kind, packets[0].version) == (PacketKind.UPSERT, 7)
    assert packets[0].payload == FLAT
    assert [(row.line, row.reason) for row in rejected] == [
        (3, "invalid-price"),
        (4, "missing-id"),
    ]
    assert "soon" in rejected[0].message


def test_a_byte_order_mark_and_empty_lines_are_ignored(tmp_path: Path, google: Mapping) -> None:
    path = write_rows(tmp_path / "feed.csv", [FLAT])
    write(path, b"\xef\xbb\xbf" + path.read_bytes() + b"\r\n\r\n")
    packets, rejected = split(read(path, google, version=1))
    assert (len(packets), rejected) == (1, [])


def test_invalid_rows_do_not_affect_the_others(tmp_path: Path, google: Mapping) -> None:
    header = "id,title,image_link,price"
    good = "{},Dress,https://x/1.jpg,5.00 USD"
    lines = [
        header.encode(),
        good.format("1").encode(),
        b"2,Dress",
        b"3,Dress,https://x/1.jpg,5.00 USD,extra",
        b"4,Dr\xe9ss,https://x/1.jpg,5.00 USD",
        b'5,"' + b"x" * 200_000 + b'",https://x/1.jpg,5.00 USD',  # its title is cut
        good.format("6").encode(),
    ]
    path = write(tmp_path / "feed.csv", b"\n".join(lines))
    packets, rejected = split(read(path, google, version=1))
    assert [packet.product_id for packet in packets] == ["1", "5", "6"]
    reasons = {row.line: row.reason for row in rejected}
    assert reasons == {3: "missing-field", 4: "broken-row", 5: "not-utf-8"}


def test_json_lines_in_japanese(tmp_path: Path, mappings: dict[str, Mapping]) -> None:
    lines = [
        json.dumps(KISETSU, ensure_ascii=False),
        "",
        "{broken",
        "[1, 2]",
        '{"商品コード": "K-56", "税込価格": NaN}',
        "[" * 100_000,
        json.dumps({**KISETSU, "商品コード": 57}, ensure_ascii=False),
        json.dumps({**KISETSU, "商品コード": None}, ensure_ascii=False),
    ]
    path = write(tmp_path / "feed.jsonl", "\n".join(lines))
    packets, rejected = split(read(path, mappings["kisetsu"], version=1))
    assert [packet.key for packet in packets] == ["kisetsu:K-55", "kisetsu:57"]
    assert [(row.line, row.reason) for row in rejected] == [
        (3, "broken-row"),
        (4, "broken-row"),
        (5, "broken-row"),
        (6, "too-deep"),
        (8, "missing-id"),
    ]


def test_a_very_long_line_is_skipped(tmp_path: Path, mappings: dict[str, Mapping]) -> None:
    good = json.dumps(KISETSU)
    path = write(tmp_path / "feed.jsonl", f"{'x' * (MAX_ROW_BYTES * 2)}\n{good}\n")
    packets, rejected = split(read(path, mappings["kisetsu"], version=1))
    assert (len(packets), rejected[0].line, rejected[0].reason) == (1, 1, "too-long")


def test_nested_variants_become_a_packet_each(tmp_path: Path, mappings: dict[str, Mapping]) -> None:
    style = {**NORTHFOLD, "meta": {"updated": "2026-01-01T00:00:00+00:00"}}
    path = write(tmp_path / "feed.ndjson", json.dumps(style))
    packets, rejected = split(read(path, mappings["northfold"]))
    assert [packet.product_id for packet in packets] == ["N77-S", "N77-8"]
    assert packets[0].version == 1_767_225_600_000_000
    assert rejected == []


def test_google_rss(tmp_path: Path, google: Mapping) -> None:
    packets, rejected = split(read(write(tmp_path / "f.xml", RSS), google, version=1))
    assert [packet.product_id for packet in packets] == ["g-1", "g-3"]
    assert packets[0].payload["title"] == "Midi Dress & belt"
    assert packets[0].payload["shipping"] == {"country": "US", "price": "5.00 USD"}
    assert len(packets[0].payload["additional_image_link"]) == 2
    assert [(row.line, row.reason) for row in rejected] == [(16, "missing-field")]


def test_google_atom(tmp_path: Path, google: Mapping) -> None:
    packets, rejected = split(read(write(tmp_path / "f.xml", ATOM), google, version=1))
    assert (packets[0].payload["link"], rejected) == ("https://shop.example/a-1", [])


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><rss><item>&b;</item></rss>'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (RSS[:700], "broken-xml"),
        ("", "broken-xml"),
        ("not xml", "broken-xml"),
        ("<html><body/></html>", "no-items"),
        (BOMB, "forbidden-xml"),
        ('<!DOCTYPE x SYSTEM "file:///etc/hostname"><rss/>', "forbidden-xml"),
    ],
)
def test_broken_xml_is_refused(tmp_path: Path, text: str, reason: str, google: Mapping) -> None:
    path = write(tmp_path / "feed.xml", text)
    with pytest.raises(InvalidFile) as refused:
        list(read(path, google, version=1))
    assert refused.value.reason == reason


def test_parquet(tmp_path: Path, google: Mapping) -> None:
    rows = [
        {**FLAT, "quantity": 3.0, "sizes": None},
        {**FLAT, "id": "g-2", "quantity": float("nan"), "sizes": ["S", "M"]},
        {**FLAT, "id": "g-3", "quantity": -1.0, "sizes": None},
    ]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "feed.parquet")
    packets, rejected = split(read(tmp_path / "feed.parquet", google, version=1))
    assert [packet.product_id for packet in packets] == ["g-1", "g-2", "g-3"]
    assert packets[1].payload["quantity"] is None
    assert rejected == []


def test_a_parquet_value_without_a_json_type_costs_no_product(
    tmp_path: Path, google: Mapping
) -> None:
    table = pyarrow.Table.from_pylist([{**FLAT, "photo": b"\x89PNG"}])
    pyarrow.parquet.write_table(table, tmp_path / "feed.parquet")
    packets, rejected = split(read(tmp_path / "feed.parquet", google, version=1))
    assert ([packet.product_id for packet in packets], rejected) == ([FLAT["id"]], [])


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("feed.parquet", b"PAR1 but not really", "unreadable"),
        ("feed.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not-utf-8"),
        ("feed.jsonl", b"\x1f\x8b\x08\0\0\0\0\0", "unreadable"),
        ("feed.csv", b"", "no-header"),
        ("feed.pdf", b"%PDF-1.7", "unknown-format"),
    ],
)
def test_a_wrong_file_is_refused(
    tmp_path: Path, name: str, content: bytes, reason: str, google: Mapping
) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(InvalidFile) as refused:
        list(read(path, google, version=1))
    assert refused.value.reason == reason
    assert name in str(refused.value)


def test_a_missing_file_is_reported(tmp_path: Path, google: Mapping) -> None:
    for ending in ("csv", "jsonl", "xml", "parquet"):
        with pytest.raises(InvalidFile, match="No such file"):
            list(read(tmp_path / f"none.{ending}", google, version=1))


def test_a_mapping_without_feed_paths_is_reported(
    tmp_path: Path, mappings: dict[str, Mapping]
) -> None:
    path = write_rows(tmp_path / "feed.csv", [ZARI])
    with pytest.raises(Misconfigured, match="version"):
        read(path, mappings["zari"])
    head = 'vendor = "x"\n[fields]\ntitle = "a"\nimage_urls = "b"\nprice = "c"\n'
    with pytest.raises(Misconfigured, match=r"\[feed\]"):
        read(path, mapping_of(head), version=1)


VERSIONS = (
    "3",
    "2026-01-01T00:00:00Z",
    "yesterday",
    "-1",
    "",
    "2999-01-01T00:00:00Z",
    "9223372036854775807",
)


def test_rows_with_their_own_versions(tmp_path: Path) -> None:
    mapping = mapping_of(
        'vendor = "x"\ncurrency = "USD"\n'
        '[fields]\ntitle = "t"\nimage_urls = "i"\nprice = "p"\n[feed]\nid = "id"\nversion = "v"\n'
    )
    row = {"id": "1", "t": "Tee", "i": "file:///1", "p": "5"}
    rows = [{**row, "v": v} for v in VERSIONS]
    packets, rejected = split(read(write_rows(tmp_path / "feed.csv", rows), mapping))
    assert [packet.version for packet in packets] == [3, 1_767_225_600_000_000]
    assert [row.reason for row in rejected] == [
        "invalid-time",
        "invalid-version",
        "missing-version",
        "future-version",
        "future-version",
    ]
    assert [row.line for row in rejected] == [4, 5, 6, 7, 8]


def test_memory_does_not_grow_with_the_file(tmp_path: Path, google: Mapping) -> None:
    item = RSS[RSS.index("    <item>") : RSS.index("    <item>", RSS.index("g-1c"))]
    head, tail = RSS[: RSS.index("    <item>")], "</channel></rss>"

    def peak(items: int) -> int:
        path = write(tmp_path / "feed.xml", head + item * items + tail)
        tracemalloc.start()
        count = sum(1 for _ in read(path, google, version=1))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert count == items
        return most

    peak(10)
    assert peak(2000) < peak(400) * 1.5
