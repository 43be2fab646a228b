"""``looksync mapping check``, as it is read by the one who writes the mapping."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from schemas.settings import Settings
from services.cli.mapping_check import try_mapping

MAPPING = """\
vendor = "elm"
currency = "EUR"
[fields]
title = "Name"
price = "Price"
image_urls = { path = "Photos", split = ";" }
[feed]
id = "Article"
deleted = { path = "State", words = ["gone"] }
"""
LONG = "https://cdn.elm.example/autumn/women/skirts/striped-midi-skirt-front-view.jpg"


def checked(folder: Path, *rows: str, header: str = "Article,Name,Price,Photos,State") -> str:
    (folder / "elm.toml").write_text(MAPPING)
    (folder / "products.csv").write_text("\n".join([header, *rows]) + "\n")
    out = io.StringIO()
    console = Console(file=out, width=80)
    try_mapping(str(folder / "products.csv"), str(folder / "elm.toml"), Settings(), console)
    return out.getvalue()


def test_addresses_are_shown_whole(tmp_path: Path) -> None:
    pictures = [f"{LONG}?n={n}" for n in range(5)]
    said = checked(tmp_path, f"1,Skirt,9,{';'.join(pictures)},")
    shown = "".join(line.split("│")[2].strip() for line in said.splitlines() if "│" in line)
    assert [url in shown for url in pictures] == [True, True, True, False, False]
    assert "and 2 more" in said


def test_deletions_have_no_fields_to_count(tmp_path: Path) -> None:
    said = checked(tmp_path, "1,Skirt,9,https://x.example/1.jpg,", "2,,,,gone")
    assert "of 1 rows taken" in said
    assert "1 (100.0%)" in said


def test_names_of_unread_columns_stay_apart(tmp_path: Path) -> None:
    row = "1,Skirt,9,https://x.example/1.jpg,,4,x"
    said = checked(tmp_path, row, header='Article,Name,Price,Photos,State,"GTIN, EAN",Tags')
    assert "read by no path: GTIN, EAN | Tags" in said


def test_a_long_file_is_read_in_part(tmp_path: Path) -> None:
    rows = [f"{n},Skirt,9,https://x.example/1.jpg," for n in range(10_001)]
    assert "the first 10,000 rows read" in checked(tmp_path, *rows)
    assert "9,999 rows read" in checked(tmp_path, *rows[:9_999])


def test_text_that_looks_like_markup_is_shown_as_it_is(tmp_path: Path) -> None:
    said = checked(tmp_path, "R:x:9,[/] [red]Skirt[/red] :smile:,9,https://x.example/[1].jpg,")
    for text in ("elm:R:x:9", "[/] [red]Skirt[/red] :smile:", "https://x.example/[1].jpg"):
        assert text in said
