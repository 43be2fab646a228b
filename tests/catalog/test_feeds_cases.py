"""Files as vendors send them (tests/data/feeds), each with its right value."""

from __future__ import annotations

from pathlib import Path

import pytest

from operators.catalog.feeds.read import FeedRow, ReadPacket, RejectedRow, read_feed
from operators.catalog.feeds.source import FeedSource
from operators.catalog.map_packet import map_packet
from operators.catalog.mapping import Mapping
from schemas.catalog import ProductUpdate
from schemas.errors import InvalidFile
from schemas.money import Money
from tests.catalog.feed_shop import DATA, FeedShop, plain
from tests.catalog.small_shop import mapping_of

Rows = list[FeedRow]


def read(file: str | Path, mapping: Mapping | None = None) -> Rows:
    path = DATA / file
    return list(read_feed(FeedSource(path.name, path), mapping or plain(), version=1))


def ids(rows: Rows) -> list[str]:
    return [row.packet.product_id for row in rows if isinstance(row, ReadPacket)]


def refused(rows: Rows) -> list[tuple[int, str]]:
    return [(row.line, row.reason) for row in rows if isinstance(row, RejectedRow)]


def payloads(rows: Rows) -> list[dict[str, object]]:
    return [row.packet.payload for row in rows if isinstance(row, ReadPacket)]


def update(row: FeedRow, mapping: Mapping) -> ProductUpdate:
    assert isinstance(row, ReadPacket), row
    return map_packet(row.packet, mapping).update


def test_one_open_quote_costs_no_other_row() -> None:
    rows = read("tsv_one_open_quote_4000_rows.tsv")
    assert ids(rows) == [f"r{n}" for n in range(4000)]
    quoted = [str(payload["title"]) for payload in payloads(rows) if '"' in str(payload["title"])]
    assert len(quoted) == 1
    assert quoted[0].count('"') == 1


@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_a_quote_opened_in_any_row_costs_at_most_that_row(tmp_path: Path, ending: str) -> None:
    delimiter = "," if ending == "csv" else "\t"
    for opened in (0, 7, 19):
        lines = [delimiter.join(("id", "title", "image_link", "price"))]
        for n in range(20):
            title = '"Retro runner' if n == opened else f'"Rio{delimiter} {n}"'
            lines.append(delimiter.join((str(n), title, f"https://x/{n}.jpg", "9.00 USD")))
        path = tmp_path / f"feed.{ending}"
        path.write_text("\n".join(lines))
        rows = read(path)
        others = [str(n) for n in range(20) if n != opened]
        assert [product_id for product_id in ids(rows) if product_id != str(opened)] == others
        assert {line for line, _ in refused(rows)} <= {opened + 2}


def test_inch_marks_and_quoted_words() -> None:
    rows = read("tsv_inch_quote.tsv")
    assert ids(rows) == [f"q{n}" for n in range(1, 12)]
    titles = [payload["title"] for payload in payloads(rows)]
    assert titles[0] == 'Bootcut jeans 32" inseam'
    assert titles[1] == '"Sunny" linen shirt'
    assert titles[2] == '"Weekend tote bag'
    assert titles[9] == 'Tee "Rio"'


def test_backslashes_before_quotes() -> None:
    mapping = plain("escape = '\\'")
    rows = read("csv_backslash_quotes.csv", mapping)
    assert [payload["title"] for payload in payloads(rows)] == [
        'The "Rio" skirt, red',
        "Blue skirt",
    ]
    undeclared = read("csv_backslash_quotes.csv")
    assert ids(undeclared) == ["2"]
    [row] = [row for row in undeclared if isinstance(row, RejectedRow)]
    assert "feed.escape" in row.message


@pytest.mark.parametrize(
    ("file", "sent", "lines"),
    [
        ("jsonl_lone_surrogate_unmapped.jsonl", ["0", "1", "2"], []),
        ("jsonl_lone_surrogate_id.jsonl", ["2"], [1]),
        ("jsonl_deep.jsonl", ["2"], [1]),
        ("nul_in_description.jsonl", ["1"], []),
    ],
)
def test_one_bad_value_costs_at_most_its_row(file: str, sent: list[str], lines: list[int]) -> None:
    rows = read(file)
    assert ids(rows) == sent
    assert [line for line, _ in refused(rows)] == lines


@pytest.mark.parametrize(
    ("file", "title"),
    [
        ("rss_shift_jis.xml", "赤いスカート"),
        ("rss_windows_1252.xml", "Café skirt \N{EN DASH} red"),
        ("rss_blank_first_line.xml", "Red skirt"),
        ("rss_gprice_attr_nbsp_entity.xml", "Red\N{NO-BREAK SPACE}skirt"),
        ("rss_title_and_gtitle.xml", "Wool scarf"),
        ("rss_repeated_product_type.xml", "Wool scarf"),
    ],
)
def test_xml_feeds(file: str, title: str, google: Mapping) -> None:
    rows = read(file, google)
    assert refused(rows) == []
    assert [payload["title"] for payload in payloads(rows)] == [title]


def test_feeds_with_googles_and_the_feeds_own_names(google: Mapping) -> None:
    [row] = read("rss_title_and_gtitle.xml", google)
    read_update = update(row, google)
    assert read_update.url == "https://elm.example/p/78"
    assert read_update.title == "Wool scarf"


def test_the_first_product_type_is_the_category(google: Mapping) -> None:
    [row] = read("rss_repeated_product_type.xml", google)
    assert update(row, google).category_text == "Women > Scarves"


def test_columns_without_a_name_are_ignored() -> None:
    [payload] = payloads(read("csv_trailing_empty_columns.csv"))
    assert set(payload) == {"id", "title", "image_link", "price"}


def test_missing_cells_at_the_end_are_empty() -> None:
    first, second = payloads(read("tsv_trailing_cells_missing.tsv"))
    assert (first["color"], first["size"]) == ("", "")
    assert (second["color"], second["size"]) == ("blue", "M")


def test_a_headers_spelling_does_not_matter() -> None:
    [payload] = payloads(read("csv_header_spaces_case.csv"))
    assert payload["image_link"] == "file://PICTURES/ok.jpg"
    assert payload["product_type"] == "Skirts"


def test_lines_that_end_as_on_old_macs() -> None:
    assert ids(read("csv_cr_only.csv")) == ["1", "2"]


@pytest.mark.parametrize(
    ("file", "feed", "setting"),
    [
        ("csv_semicolon.csv", 'delimiter = ";"', "feed.delimiter = ';'"),
        ("feed_pipe.txt", 'delimiter = "|"', "feed.delimiter = '|'"),
        ("google.txt", "", None),
        ("array.json", "", None),
    ],
)
def test_dialects_are_declared_or_the_setting_is_named(
    file: str, feed: str, setting: str | None
) -> None:
    assert ids(read(file, plain(feed))) == ["1"]
    if setting is not None:
        with pytest.raises(InvalidFile, match=r"set feed\.delimiter") as error:
            read(file)
        assert setting in str(error.value)


def test_a_file_in_shift_jis() -> None:
    text = """
vendor = "plain"
currency = "JPY"
[fields]
title = '"商品名"'
image_urls = '"画像"'
price = '"価格"'
colour_text = '"色"'
[feed]
id = '"商品番号"'
"""
    header = (DATA / "csv_shift_jis.csv").read_bytes().decode("shift_jis").splitlines()[0]
    names = header.split(",")
    for old, new in zip(("商品番号", "商品名", "画像", "価格", "色"), names, strict=True):
        text = text.replace(f'"{old}"', f'"{new}"')
    assert ids(read("csv_shift_jis.csv", mapping_of(f'{text}encoding = "shift_jis"\n'))) == [
        "A1",
        "A2",
    ]
    with pytest.raises(InvalidFile, match=r"feed\.encoding"):
        read("csv_shift_jis.csv", mapping_of(text))


def test_ids_are_trimmed_of_invisible_characters() -> None:
    assert ids(read("csv_ids.csv")) == [
        "00042",
        "42",
        "A/../b:c?d",
        "スカート①",
        "pad",
        "zw",
        "zw",
    ]


NAIVE = """
vendor = "timed"
[fields]
title = "title"
image_urls = "image_link"
price = "price"
[feed]
id = "id"
version = "updated"
"""


def test_times_in_the_vendors_notation() -> None:
    mapping = mapping_of(f'{NAIVE}time_zone = "Asia/Tokyo"\ndate_format = "%d/%m/%Y %H:%M"\n')
    rows = read("naive_times.jsonl", mapping)
    versions = {
        row.packet.product_id: row.packet.version for row in rows if isinstance(row, ReadPacket)
    }
    tokyo = 1_764_032_400_000_000  # 2025-11-25T10:00+09:00
    year = 365 * 86_400_000_000
    assert versions["a"] == tokyo + year
    assert versions["b"] == versions["e"] == versions["i"] == tokyo + year + 9 * 3_600_000_000
    assert versions["c"] == versions["d"] == tokyo + year
    assert versions["f"] == tokyo + year - 10 * 3_600_000_000


def test_times_that_say_too_little_name_the_setting() -> None:
    rows = read("naive_times.jsonl", mapping_of(NAIVE))
    messages = {
        row.row["id"]: row.message
        for row in rows
        if isinstance(row, RejectedRow) and isinstance(row.row, dict)
    }
    assert set(messages) >= {"a", "d", "f"}
    assert "feed.time_zone" in messages["a"]
    assert "feed.date_format" in messages["d"]


REPEATED = (
    "id,title,image_link,image_link,note,note,price,price\n"
    "1,Skirt,https://x/1.jpg,https://x/2.jpg,a,b,9 USD,\n"
    "2,Skirt,,https://x/3.jpg,,,,8 USD\n"
    "3,Skirt,https://x/4.jpg,,,c,soon,\n"
)


def test_columns_with_the_same_name_are_a_list(tmp_path: Path) -> None:
    path = tmp_path / "feed.csv"
    path.write_text(REPEATED)
    first, second, third = read(path)
    assert update(first, plain()).image_urls == ("https://x/1.jpg", "https://x/2.jpg")
    assert update(second, plain()).image_urls == ("https://x/3.jpg",)
    assert [update(row, plain()).price for row in (first, second)] == [
        Money(amount_minor=900, currency="USD"),
        Money(amount_minor=800, currency="USD"),
    ]
    assert isinstance(third, RejectedRow)


async def test_refused_rows_of_such_a_file_come_back_in_their_columns(tmp_path: Path) -> None:
    path, rejects = tmp_path / "feed.csv", tmp_path / "rejects.csv"
    path.write_text(REPEATED)
    await FeedShop(plain()).ingest(path, rejects=rejects)
    assert rejects.read_text() == (
        "id,title,image_link,image_link,note,note,price,price\n3,Skirt,https://x/4.jpg,,c,,soon,\n"
    )


@pytest.mark.parametrize("line", ["sep=;", '"sep=;"', "sep=;;;", "SEP=;\r"])
def test_the_separator_that_excel_writes_in_the_first_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "feed.csv"
    path.write_text(
        f"{line}\nid;title;image_link;price\n1;Skirt, red;https://x/1.jpg;9 USD\n", newline=""
    )
    [row] = read(path)
    assert update(row, plain()).title == "Skirt, red"
