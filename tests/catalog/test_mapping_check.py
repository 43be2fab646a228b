"""Faults reported for a mapping's paths, when it is loaded and when it is checked on a file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from operators.catalog.feeds.source import FeedSource
from operators.catalog.ingest.check import MappingCheck, check_mapping
from operators.catalog.mapping import Mapping
from schemas.errors import Misconfigured
from tests.catalog.feed_shop import DATA
from tests.catalog.small_shop import mapping_of

CSV = (
    "SKU,Title,Variant Price,Image Src,Colour\n"
    "A1,Red skirt,25.00,https://x/1.jpg,red\n"
    "A2,Blue skirt,soon,https://x/2.jpg,\n"
    "A3,Green skirt,27.00,https://x/3.jpg,\n"
)
GOOD = {
    "title": '"Title"',
    "price": "'\"Variant Price\"'",
    "image_urls": "'\"Image Src\"'",
    "colour_text": '"Colour"',
}


def mapping(**changes: str) -> Mapping:
    fields = "\n".join(f"{name} = {path}" for name, path in {**GOOD, **changes}.items())
    return mapping_of(f'vendor = "v"\ncurrency = "USD"\n[fields]\n{fields}\n[feed]\nid = "SKU"\n')


def check(tmp_path: Path, **changes: str) -> MappingCheck:
    path = tmp_path / "feed.csv"
    path.write_text(CSV)
    return check_mapping(FeedSource(path.name, path), mapping(**changes))


def test_rows_coverage_and_refusals(tmp_path: Path) -> None:
    found = check(tmp_path)
    assert (found.read, found.sent, found.refused) == (3, 2, {"invalid-price": 1})
    assert found.covered == {"title": 2, "price": 2, "image_urls": 2, "colour_text": 1}
    line, key, update = found.first[0]
    assert (line, key, update.title) == (2, "v:A1", "Red skirt")
    assert (found.faults, found.unused) == ([], [])
    assert found.failed, "a row was refused"


def test_what_was_done_to_odd_values_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "feed.csv"
    path.write_text(CSV.replace(",red", ",N/A").replace("soon", "26.00"))
    found = check_mapping(FeedSource(path.name, path), mapping())
    assert found.notes == {("colour_text", "null-word"): 1}
    assert not found.failed


def test_a_quoted_name_that_is_a_text(tmp_path: Path) -> None:
    found = check(tmp_path, title="\"'Title'\"")
    assert found.faults == [
        "title: 'Title' is a text, the same in every row; the column is \"Title\""
    ]


def test_a_name_close_to_a_column(tmp_path: Path) -> None:
    found = check(tmp_path, colour_text='"Color"')
    assert found.faults == ["colour_text: no row has 'Color'; the file has 'Colour'"]
    assert found.unused == ["Colour"]


def test_a_header_in_another_spelling_is_accepted(tmp_path: Path) -> None:
    found = check(tmp_path, price='"variant_price"', image_urls='"image_src"')
    assert found.faults == []
    assert found.sent == 2


@pytest.mark.parametrize(
    ("path", "output"),
    [
        ('"Variant Price"', """quote it within the quotes: '"Variant Price"'"""),
        ('"Body (HTML)"', """quote it within the quotes: '"Body (HTML)"'"""),
        ('"In stock?"', """quote it within the quotes: '"In stock?"'"""),
        ('"2nd-image"', """quote it within the quotes: '"2nd-image"'"""),
        ('"商品名"', """quote it within the quotes: '"商品名"'"""),
        ('"upper(title)"', "there is no function upper()"),
        ("\"joined(',', tags)\"", "did you mean join?"),
        ('"join(tags)"', "join() takes 2 arguments, not 1"),
    ],
)
def test_paths_that_are_none_are_explained(path: str, output: str) -> None:
    with pytest.raises(Misconfigured, match=re.escape(output)):
        mapping(title=path)


@pytest.mark.parametrize("path", ['"not_null(a, b, c)"', '"a[?b]|[0]"', '"merge(a, b)"'])
def test_paths_that_are_some(path: str) -> None:
    mapping(title=path)


def test_nested_files_show_their_inner_names(mappings: dict[str, Mapping]) -> None:
    found = check_mapping(
        FeedSource("rss_title_and_gtitle.xml", DATA / "rss_title_and_gtitle.xml"),
        mappings["google_merchant"],
    )
    assert (found.sent, found.faults, found.failed) == (1, [], False)
