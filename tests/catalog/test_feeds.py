"""Vendors' files in five formats, whole and broken."""

from __future__ import annotations

import csv
import json
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from small_shop import mapping_of
from vendor_payloads import GOOGLE, KISETSU, NORTHFOLD, ZARI

from operators.catalog.feed_formats import MAX_ROW_BYTES
from operators.catalog.feeds import RejectedRow, read_feed
from operators.catalog.mapping import Mapping, load_mappings
from schemas.catalog import Packet, PacketKind
from schemas.errors import InvalidFile, Misconfigured

MAPPINGS = load_mappings(Path(__file__).parents[2] / "operators/catalog/mappings")
FLAT = {name: value for name, value in GOOGLE.items() if isinstance(value, str)}

RSS = """<?xml version="1.0"?>
<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0">
  <channel>
    <title>Aldra</title>
    <item>
      <g:id>g-1</g:id>
      <title>Midi Dress &amp; belt</title>
      <link>https://shop.example/g-1</link>
      <g:image_link>https://shop.example/g-1.jpg</g:image_link>
      <g:additional_image_link>https://shop.example/g-1b.jpg</g:additional_image_link>
      <g:additional_image_link>https://shop.example/g-1c.jpg</g:additional_image_link>
      <g:price>25.00 USD</g:price>
      <g:availability>in stock</g:availability>
      <g:shipping><g:country>US</g:country><g:price>5.00 USD</g:price></g:shipping>
    </item>
    <item>
      <g:id>g-2</g:id>
      <title>Without a price</title>
      <g:image_link>https://shop.example/g-2.jpg</g:image_link>
    </item>
    <item>
      <g:id>g-3</g:id>
      <title>Skirt</title>
      <g:image_link>https://shop.example/g-3.jpg</g:image_link>
      <g:price>9.00 USD</g:price>
    </item>
  </channel>
</rss>
"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0">
  <entry>
    <g:id>a-1</g:id>
    <title>Cap</title>
    <link href="https://shop.example/a-1"/>
    <g:image_link>https://shop.example/a-1.jpg</g:image_link>
    <g:price>9.00 USD</g:price>
  </entry>
</feed>
"""


def google() -> Mapping:
    return MAPPINGS["google_merchant"]


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rows_as(path: Path, rows: list[dict[str, Any]], delimiter: str = ",") -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def split(read: Iterable[Packet | RejectedRow]) -> tuple[list[Packet], list[RejectedRow]]:
    packets: list[Packet] = []
    rejected: list[RejectedRow] = []
    for row in read:
        if isinstance(row, Packet):
            packets.append(row)
        else:
            rejected.append(row)
    return packets, rejected


@pytest.mark.parametrize(("ending", "delimiter"), [("csv", ","), ("tsv", "\t"), ("CSV", ",")])
def test_separated_values(tmp_path: Path, ending: str, delimiter: str) -> None:
    path = rows_as(
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
    packets, rejected = split(read_feed(path, google(), version=7))
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


def test_a_byte_order_mark_and_empty_lines_are_no_trouble(tmp_path: Path) -> None:
    path = rows_as(tmp_path / "feed.csv", [FLAT])
    written(path, b"\xef\xbb\xbf" + path.read_bytes() + b"\r\n\r\n")
    packets, rejected = split(read_feed(path, google(), version=1))
    assert (len(packets), rejected) == (1, [])


def test_torn_and_foreign_rows_cost_only_themselves(tmp_path: Path) -> None:
    header = "id,title,image_link,price"
    good = "{},Dress,https://x/1.jpg,5.00 USD"
    lines = [
        header.encode(),
        good.format("1").encode(),
        b"2,Dress",
        b"3,Dress,https://x/1.jpg,5.00 USD,extra",
        b"4,Dr\xe9ss,https://x/1.jpg,5.00 USD",
        b'5,"' + b"x" * 200_000 + b'",https://x/1.jpg,5.00 USD',
        good.format("6").encode(),
    ]
    path = written(tmp_path / "feed.csv", b"\n".join(lines))
    packets, rejected = split(read_feed(path, google(), version=1))
    assert [packet.product_id for packet in packets] == ["1", "6"]
    reasons = {row.line: row.reason for row in rejected}
    assert reasons[3] == reasons[4] == reasons[6] == "broken-row"
    assert reasons[5] == "not-utf-8"


def test_json_lines_in_japanese(tmp_path: Path) -> None:
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
    path = written(tmp_path / "feed.jsonl", "\n".join(lines))
    packets, rejected = split(read_feed(path, MAPPINGS["kisetsu"], version=1))
    assert [packet.key for packet in packets] == ["kisetsu:K-55", "kisetsu:57"]
    assert [(row.line, row.reason) for row in rejected] == [
        (3, "broken-row"),
        (4, "broken-row"),
        (5, "broken-row"),
        (6, "broken-row"),
        (8, "missing-id"),
    ]


def test_an_endless_line_is_skipped(tmp_path: Path) -> None:
    good = json.dumps(KISETSU)
    path = written(tmp_path / "feed.jsonl", f"{'x' * (MAX_ROW_BYTES * 2)}\n{good}\n")
    packets, rejected = split(read_feed(path, MAPPINGS["kisetsu"], version=1))
    assert (len(packets), rejected[0].line, rejected[0].reason) == (1, 1, "too-long")


def test_nested_variants_become_a_packet_each(tmp_path: Path) -> None:
    style = {**NORTHFOLD, "meta": {"updated": "2026-01-01T00:00:00+00:00"}}
    path = written(tmp_path / "feed.ndjson", json.dumps(style))
    packets, rejected = split(read_feed(path, MAPPINGS["northfold"]))
    assert [packet.product_id for packet in packets] == ["N77-S", "N77-8"]
    assert packets[0].version == 1_767_225_600_000_000
    assert rejected == []


def test_google_rss(tmp_path: Path) -> None:
    packets, rejected = split(read_feed(written(tmp_path / "f.xml", RSS), google(), version=1))
    assert [packet.product_id for packet in packets] == ["g-1", "g-3"]
    assert packets[0].payload["title"] == "Midi Dress & belt"
    assert packets[0].payload["shipping"] == {"country": "US", "price": "5.00 USD"}
    assert len(packets[0].payload["additional_image_link"]) == 2
    assert [(row.line, row.reason) for row in rejected] == [(16, "missing-field")]


def test_google_atom(tmp_path: Path) -> None:
    packets, rejected = split(read_feed(written(tmp_path / "f.xml", ATOM), google(), version=1))
    assert (packets[0].payload["link"], rejected) == ("https://shop.example/a-1", [])


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><rss><item>&b;</item></rss>'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (RSS[:700], "broken-xml"),
        ("", "broken-xml"),
        ("not xml", "broken-xml"),
        ("<html><body/></html>", "forbidden-xml"),
        (BOMB, "forbidden-xml"),
        ('<!DOCTYPE x SYSTEM "file:///etc/hostname"><rss/>', "forbidden-xml"),
    ],
)
def test_broken_xml_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = written(tmp_path / "feed.xml", text)
    with pytest.raises(InvalidFile) as refused:
        list(read_feed(path, google(), version=1))
    assert refused.value.reason == reason


def test_parquet(tmp_path: Path) -> None:
    rows = [
        {**FLAT, "quantity": 3.0, "sizes": None},
        {**FLAT, "id": "g-2", "quantity": float("nan"), "sizes": ["S", "M"]},
        {**FLAT, "id": "g-3", "quantity": -1.0, "sizes": None},
    ]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "feed.parquet")
    packets, rejected = split(read_feed(tmp_path / "feed.parquet", google(), version=1))
    assert [packet.product_id for packet in packets] == ["g-1", "g-2"]
    assert packets[1].payload["quantity"] is None
    assert [(row.line, row.reason) for row in rejected] == [(3, "invalid-stock")]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("feed.parquet", b"PAR1 but not really", "unreadable"),
        ("feed.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "unreadable"),
        ("feed.jsonl", b"\x1f\x8b\x08\0\0\0\0\0", "unreadable"),
        ("feed.csv", b"", "no-header"),
        ("feed.csv", b"id,id,title\n1,1,x\n", "no-header"),
        ("feed.pdf", b"%PDF-1.7", "unknown-format"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    path = written(tmp_path / name, content)
    with pytest.raises(InvalidFile) as refused:
        list(read_feed(path, google(), version=1))
    assert refused.value.reason == reason
    assert name in str(refused.value)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    for ending in ("csv", "jsonl", "xml", "parquet"):
        with pytest.raises(InvalidFile, match="No such file"):
            list(read_feed(tmp_path / f"none.{ending}", google(), version=1))


def test_a_mapping_that_does_not_say_how_to_read_files_is_named(tmp_path: Path) -> None:
    path = rows_as(tmp_path / "feed.csv", [ZARI])
    with pytest.raises(Misconfigured, match="version"):
        read_feed(path, MAPPINGS["zari"])
    head = 'vendor = "x"\n[fields]\ntitle = "a"\nimage_urls = "b"\nprice = "c"\n'
    with pytest.raises(Misconfigured, match=r"\[feed\]"):
        read_feed(path, mapping_of(head), version=1)


def test_rows_with_versions_of_their_own(tmp_path: Path) -> None:
    mapping = mapping_of(
        'vendor = "x"\ncurrency = "USD"\n'
        '[fields]\ntitle = "t"\nimage_urls = "i"\nprice = "p"\n[feed]\nid = "id"\nversion = "v"\n'
    )
    row = {"id": "1", "t": "Tee", "i": "file:///1", "p": "5"}
    rows = [{**row, "v": v} for v in ("3", "2026-01-01T00:00:00Z", "yesterday", "-1", "")]
    packets, rejected = split(read_feed(rows_as(tmp_path / "feed.csv", rows), mapping))
    assert [packet.version for packet in packets] == [3, 1_767_225_600_000_000]
    assert {row.reason for row in rejected} == {"invalid-version"}
    assert [row.line for row in rejected] == [4, 5, 6]


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    item = RSS[RSS.index("    <item>") : RSS.index("    <item>", RSS.index("g-1c"))]
    head, tail = RSS[: RSS.index("    <item>")], "</channel></rss>"

    def peak(items: int) -> int:
        path = written(tmp_path / "feed.xml", head + item * items + tail)
        tracemalloc.start()
        count = sum(1 for _ in read_feed(path, google(), version=1))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert count == items
        return most

    peak(10)
    assert peak(2000) < peak(400) * 1.5
