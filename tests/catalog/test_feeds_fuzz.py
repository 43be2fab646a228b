"""Whatever the bytes, readers raise nothing but InvalidFile; damage affects only its own row."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from operators.catalog.feeds.read import FeedRow, ReadPacket, RejectedRow, read_feed
from operators.catalog.feeds.source import FeedSource
from operators.catalog.mapping import Mapping
from schemas.errors import InvalidFile
from tests.catalog.feed_shop import plain

FORMATS = ("csv", "tsv", "jsonl", "json", "xml", "parquet")
ROWS = 12
fuzzed = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
MAPPINGS = {
    "bare": plain(),
    "quoted": plain('quote = "\'"\nescape = \'\\\'\nheader_row = 2\nencoding = "latin-1"'),
    "shaped": plain('root = "a"\nitem = "item"\nattributes = true\nencoding = "shift_jis"'),
}


def row(number: int) -> dict[str, str]:
    return {
        "id": f"p{number}",
        "title": f"Red skirt {number}",
        "image_link": f"https://shop.example/{number}.jpg",
        "price": "9.00 USD",
    }


def separated(delimiter: str) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(row(0)), delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row(number) for number in range(ROWS))
    return text.getvalue().encode()


def xml() -> bytes:
    items = "\n".join(
        "<item>" + "".join(f"<g:{k}>{v}</g:{k}>" for k, v in row(n).items()) + "</item>"
        for n in range(ROWS)
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<rss xmlns:g="http://base.google.com/ns/1.0"><channel>\n{items}\n</channel></rss>'
    ).encode()


def parquet() -> bytes:
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row(n) for n in range(ROWS)]), sink)
    return sink.getvalue()


VALID: dict[str, Callable[[], bytes]] = {
    "csv": lambda: separated(","),
    "tsv": lambda: separated("\t"),
    "jsonl": lambda: "".join(json.dumps(row(n)) + "\n" for n in range(ROWS)).encode(),
    "json": lambda: json.dumps([row(n) for n in range(ROWS)]).encode(),
    "xml": xml,
    "parquet": parquet,
}


def read(path: Path, mapping: Mapping) -> list[FeedRow]:
    """Every row before the file breaks, if it does."""
    rows: list[FeedRow] = []
    with suppress(InvalidFile):
        for found in read_feed(FeedSource(path.name, path), mapping, version=1):
            rows.append(found)  # noqa: PERF402 - those before the break, too
    for found in rows:
        assert found.line >= 1
        if isinstance(found, ReadPacket):
            found.packet.model_dump_json().encode()  # it can be sent
        elif isinstance(found, RejectedRow):
            json.dumps(found.row, ensure_ascii=False).encode()  # it can be written
    return rows


def ids(rows: list[FeedRow]) -> list[str]:
    return [found.packet.product_id for found in rows if isinstance(found, ReadPacket)]


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("mapping", MAPPINGS)
@fuzzed
@given(content=st.binary(max_size=400))
@example(content=b"\0" * 50)
@example(content=b'"' * 50)
@example(content=b"<" * 50)
@example(content=b"[" * 5000)
@example(content=b"\xff\xfe\0")
@example(content=b'id,title\n1,"')
@example(content=b'\n{"id": "\\ud800"}')
@example(content=b'[{"id": 1e999}]')
@example(content=b"\x1f\x8b\x08")
@example(content=b"BZh9")
@example(content=b"PK\x03\x04")
@example(content=b"\x28\xb5\x2f\xfd")
@example(content=b"\xfd7zXZ\0")
@example(content=b'<?xml version="1.0" encoding="utf-16"?><rss><item/></rss>')
def test_any_bytes(tmp_path: Path, format_: str, mapping: str, content: bytes) -> None:
    path = tmp_path / f"feed.{format_}"
    path.write_bytes(content)
    read(path, MAPPINGS[mapping])


@pytest.mark.parametrize(
    "encoding",
    ["utf-16", "utf-32", "utf-7", "idna", "punycode", "undefined", "unicode_escape", "zlib", "no"],
)
def test_any_declared_encoding(tmp_path: Path, encoding: str) -> None:
    declared = VALID["xml"]().replace(b"utf-8", encoding.encode())
    (tmp_path / "feed.xml").write_bytes(declared)
    rows = read(tmp_path / "feed.xml", MAPPINGS["bare"])
    if encoding.startswith("utf-"):
        assert len(ids(rows)) == ROWS, "what is read as ASCII is no UTF-16, whatever it says"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_xml_in_utf_16_without_a_mark(tmp_path: Path, encoding: str) -> None:
    text = VALID["xml"]().decode().replace("utf-8", "utf-16")
    (tmp_path / "feed.xml").write_bytes(text.encode(encoding))
    assert len(ids(read(tmp_path / "feed.xml", MAPPINGS["bare"]))) == ROWS


@pytest.mark.parametrize("format_", ["csv", "jsonl", "xml"])
@pytest.mark.parametrize("encoding", ["utf-16", "idna", "punycode", "utf-7", "hz"])
def test_a_wrong_encoding_in_the_mapping_is_reported(
    tmp_path: Path, format_: str, encoding: str
) -> None:
    path = tmp_path / f"feed.{format_}"
    path.write_bytes(VALID[format_]() + b"\xe3\x81")
    read(path, plain(f'encoding = "{encoding}"'))


damage = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.integers(0, 3),
        st.one_of(
            st.binary(min_size=1, max_size=8), st.sampled_from([b'"', b"<", b"&", b"\0", b"]]>"])
        ),
    ),
    min_size=1,
    max_size=3,
)


@pytest.mark.parametrize("format_", FORMATS)
@fuzzed
@given(damage=damage)
def test_a_valid_file_with_damage(
    tmp_path: Path, format_: str, damage: list[tuple[float, int, bytes]]
) -> None:
    content = bytearray(VALID[format_]())
    for place, removed, added in damage:
        at = int(place * len(content))
        content[at : at + removed] = added
    path = tmp_path / f"feed.{format_}"
    path.write_bytes(content)
    read(path, MAPPINGS["bare"])


@pytest.mark.parametrize("format_", ["csv", "tsv", "jsonl"])
@fuzzed
@given(
    line=st.integers(1, ROWS),
    place=st.floats(0, 1, exclude_max=True),
    added=st.one_of(
        st.binary(min_size=1, max_size=6).map(lambda b: b.replace(b"\n", b"").replace(b"\r", b"")),
        st.sampled_from([b'"', b'"",', b"\\", b"\xff", b"\0", b'\t"', b',"']),
    ),
)
@example(line=3, place=0.0, added=b'"')
@example(line=12, place=0.5, added=b'"')
def test_neighbours_of_a_damaged_line_are_sent(
    tmp_path: Path, format_: str, line: int, place: float, added: bytes
) -> None:
    lines = VALID[format_]().splitlines(keepends=True)
    first = 0 if format_ == "jsonl" else 1
    hurt = lines[first + line - 1]
    at = int(place * (len(hurt) - 1))
    lines[first + line - 1] = hurt[:at] + added + hurt[at:]
    path = tmp_path / f"feed.{format_}"
    path.write_bytes(b"".join(lines))
    others = [f"p{number}" for number in range(ROWS) if number != line - 1]
    found = read(path, MAPPINGS["bare"])
    sent = [product_id for product_id in ids(found) if product_id in others]
    assert sent == others
    assert len(found) == ROWS, "the damaged row is sent or refused, not lost"


@pytest.mark.parametrize("format_", ["xml", "json"])
@fuzzed
@given(item=st.integers(0, ROWS - 1), added=st.sampled_from([b"&", b"&nbsp;", b"\0", b"\x0b"]))
def test_what_xml_forbids_in_one_text_costs_one_item(
    tmp_path: Path, format_: str, item: int, added: bytes
) -> None:
    if format_ == "json" and added in (b"\0", b"\x0b"):
        return  # no JSON: the document cannot be read on from there
    content = VALID[format_]()
    title = f"Red skirt {item}".encode() + (b'"' if format_ == "json" else b"<")
    assert content.count(title) == 1
    content = content.replace(title, title[:3] + added + title[3:])
    path = tmp_path / f"feed.{format_}"
    path.write_bytes(content)
    others = [f"p{number}" for number in range(ROWS) if number != item]
    assert [
        product_id for product_id in ids(read(path, MAPPINGS["bare"])) if product_id != f"p{item}"
    ] == others


cell = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=30)


@pytest.mark.parametrize(("format_", "delimiter"), [("csv", ","), ("tsv", "\t")])
@fuzzed
@given(titles=st.lists(cell, min_size=1, max_size=6))
def test_what_a_csv_writer_writes_is_read_back(
    tmp_path: Path, format_: str, delimiter: str, titles: list[str]
) -> None:
    path = tmp_path / f"feed.{format_}"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(["id", "title", "image_link", "price", "note"])
        for number, title in enumerate(titles):
            writer.writerow([f"p{number}", "T", "https://x/1.jpg", "9.00 USD", title])
    rows = read(path, MAPPINGS["bare"])
    notes = [found.packet.payload["note"] for found in rows if isinstance(found, ReadPacket)]
    assert [str(note).strip() for note in notes] == [title.strip() for title in titles]
