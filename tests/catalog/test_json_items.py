"""Lists of items in JSON documents: a broken item costs no other, and memory is bounded."""

from __future__ import annotations

import io
import json
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.catalog.feeds import json_items
from operators.catalog.feeds.read import FeedRow, ReadPacket, RejectedRow, read_feed
from operators.catalog.feeds.rows import MAX_ROW_BYTES
from operators.catalog.feeds.source import FeedSource
from schemas.errors import InvalidFile
from tests.catalog.feed_shop import plain
from tests.catalog.small_shop import mapping_of


def item(number: int, more: str = "") -> str:
    title = f'"title": "Skirt {number}", "image_link": "https://x/{number}.jpg"'
    return f'{{"id": "{number}", {title}, "price": "9 USD"{more}}}'


def read(
    tmp_path: Path, text: str | bytes, feed: str = "", name: str = "feed.json"
) -> list[FeedRow]:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode(errors="surrogatepass"))
    return list(read_feed(FeedSource(path.name, path), plain(feed), version=1))


def outcome(rows: list[FeedRow]) -> list[str]:
    """Ids of packets, reasons of refused rows."""
    return [
        row.packet.product_id if isinstance(row, ReadPacket) else row.reason
        for row in rows
        if isinstance(row, ReadPacket | RejectedRow)
    ]


@pytest.mark.parametrize("shape", ["[{}]", '{{"data": {{"products": [{}]}}}}'])
@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (item(2, r', "note": "\ud800"'), "2"),
        (item(2, f', "note": {"[" * 500}{"]" * 500}'), "too-deep"),
        (item(2, f', "note": {"[" * 50_000}{"]" * 50_000}'), "too-deep"),
        (item(2, f', "note": {"[" * 50_000}'), "too-deep"),
        (item(2, ', "note": NaN'), "broken-row"),
        (item(2, ', "note": 1e400000000'), "2"),
        (item(2, f', "note": {"9" * 5000}'), "broken-row"),
        (item(2, ', "note": 1,,'), "broken-row"),
        (item(2, ', "note": [1'), "broken-row"),
        (item(2, ', "note": 1]}'), "broken-row"),
        (item(2, ', "note": "tab\t"'), "broken-row"),
        (item(2, r', "note": "\x"'), "broken-row"),
        ("'single': 'quotes'", "broken-row"),
        ("17", "broken-row"),
        ("null", "broken-row"),
        (item(2, f', "note": "{"x" * MAX_ROW_BYTES}"'), "too-long"),
    ],
)
def test_one_bad_item_costs_no_other(tmp_path: Path, shape: str, bad: str, reason: str) -> None:
    if bad.endswith("1]}}") and "products" in shape:
        return  # its braces close the document
    text = shape.format(f"{item(1)}, {bad}, {item(3)}")
    rows = read(tmp_path, text, 'root = "data.products"' if "products" in shape else "")
    assert outcome(rows) == ["1", reason, "3"]
    assert [row.line for row in rows] == [1, 2, 3]


def test_a_refused_item_comes_back_as_it_was(tmp_path: Path) -> None:
    _, bad = read(tmp_path, f"[{item(1)}, {item(2, ', 5')}]")
    assert isinstance(bad, RejectedRow)
    assert bad.row == f" {item(2, ', 5')}"


@pytest.mark.parametrize("end", ["", ', {"id": "2', ', {"id": "2\\', ', {"id": 2]', ", [", "}}"])
def test_a_document_that_breaks_off_is_reported_after_its_items(tmp_path: Path, end: str) -> None:
    path = tmp_path / "feed.json"
    path.write_text(f"[{item(0)}, {item(1)}{end}")
    rows = read_feed(FeedSource(path.name, path), plain(), version=1)
    assert isinstance(next(rows), ReadPacket)
    with pytest.raises(InvalidFile, match="not closed"):
        list(rows)


@pytest.mark.parametrize("note", ['{"of": ["x"]}', '["x"]', '{"of": {}}'])
@pytest.mark.parametrize("place", [0, -1])
def test_a_bracket_that_is_not_closed_costs_its_item(tmp_path: Path, note: str, place: int) -> None:
    bad = item(2, f', "note": {note}')
    bad = bad[:-1] if place else bad.replace(note, note[:-1])
    assert outcome(read(tmp_path, f"[{item(1)}, {bad}, {item(3)}]")) == ["1", "broken-row", "3"]


def test_json_lines_called_json(tmp_path: Path) -> None:
    assert outcome(read(tmp_path, f"{item(1)}\n{item(2)}\n")) == ["1", "2"]
    assert outcome(read(tmp_path, item(1))) == ["1"]


@pytest.mark.parametrize(
    ("text", "output"),
    [
        (f'{{"shop": "x", "products": [{item(1)}]}}', "feed.root, perhaps to 'products'"),
        (
            f'{{"products": [{item(1, ", " + json.dumps("x" * MAX_ROW_BYTES))}]}}',
            "perhaps to 'products'",
        ),
        ("[]", "no list with items at the top"),
        ('"text"', "it begins with"),
        ("<html>{}</html>", "it begins with '<html>"),
        ("", "no list with items"),
    ],
)
def test_a_document_without_a_list_names_the_setting(
    tmp_path: Path, text: str, output: str
) -> None:
    with pytest.raises(InvalidFile, match=re.escape(output)):
        read(tmp_path, text)


@pytest.mark.parametrize("encoding", ["shift_jis", "utf-16", "utf-8-sig", "utf-32"])
def test_documents_in_other_encodings(tmp_path: Path, encoding: str) -> None:
    text = f"[{item(1)}, {item(2).replace('Skirt', '赤いスカート')}]"
    feed = 'encoding = "shift_jis"' if encoding == "shift_jis" else ""
    rows = read(tmp_path, text.encode(encoding), feed)
    assert outcome(rows) == ["1", "2"]


def test_bytes_of_another_encoding_cost_their_item(tmp_path: Path) -> None:
    rows = read(
        tmp_path,
        f"[{item(1)}, ".encode() + item(2).replace("Skirt", "Jupe été").encode("latin-1") + b"]",
    )
    assert outcome(rows) == ["1", "not-utf-8"]


def test_lists_within_lists(tmp_path: Path) -> None:
    pages = f'{{"pages": [{{"products": [{item(1)}, {item(2)}]}}, {{"products": [{item(3)}]}}]}}'
    assert outcome(read(tmp_path, pages, 'root = "pages.products"')) == ["1", "2", "3"]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    items=st.lists(st.dictionaries(st.text(max_size=4), values, max_size=4), max_size=6),
    before=values,
    chunk=st.integers(1, 9),
    indent=st.sampled_from([None, 1]),
)
def test_items_are_the_same_however_the_document_is_cut(
    items: list[dict[str, object]], before: object, chunk: int, indent: int | None
) -> None:
    document = json.dumps({"before": before, "a": {"b": items}, "after": 1}, indent=indent)
    shapes: list[tuple[str, tuple[str, ...]]] = [
        (document, ("a.b",)),
        (json.dumps(items, indent=indent, ensure_ascii=False), ()),
        ("\n".join(json.dumps(one) for one in items), ()),
    ]
    for text, roots in shapes:
        if not text:
            continue
        found = json_items.json_items("f", _Chunks(text, chunk), roots)
        assert [json.loads(one.text) for one in found] == items


class _Chunks(io.StringIO):
    def __init__(self, text: str, size: int) -> None:
        super().__init__(text)
        self._cut = size

    def read(self, size: int | None = -1, /) -> str:
        return super().read(self._cut)


LIMIT = 200_000


def _long_item(path: Path) -> None:
    with path.open("w") as file:
        file.write(f'[{item(1)}, {{"id": "2", "note": "')
        for _ in range(40):
            file.write("x" * LIMIT)
        file.write(f'"}}, {item(3)}]')


def _deep_item(path: Path) -> None:
    path.write_text(f"[{item(1)}, {'[' * 120_000}{']' * 120_000}, {item(3)}]")


@pytest.mark.parametrize("write", [_long_item, _deep_item])
def test_an_items_size_costs_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], None]
) -> None:
    monkeypatch.setattr(json_items, "MAX_ROW_BYTES", LIMIT)
    path = tmp_path / "feed.json"
    write(path)
    tracemalloc.start()
    rows = list(read_feed(FeedSource(path.name, path), plain(), version=1))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert outcome(rows) == ["1", "too-long", "3"]
    assert peak < 6 * LIMIT


@pytest.mark.parametrize(
    ("variants", "reason"), [([], "no-variant"), ("text", "wrong-type"), (3, "wrong-type")]
)
def test_a_row_whose_variants_cannot_be_listed_is_refused(
    tmp_path: Path, variants: object, reason: str
) -> None:
    mapping = mapping_of(
        'vendor = "v"\n[fields]\ntitle = "title"\nprice = "price"\nimage_urls = "image"\n'
        '[variant]\nlist = "map(&@, sizes)"\nid = "sku"\n[feed]\nid = "variant.sku"\n'
    )
    path = tmp_path / "feed.jsonl"
    path.write_text(json.dumps({"sizes": variants}) + "\n")
    [row] = read_feed(FeedSource(path.name, path), mapping, version=1)
    assert isinstance(row, RejectedRow)
    assert (row.line, row.reason) == (1, reason)
