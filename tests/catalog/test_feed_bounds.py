"""Small files that would become very large in memory or on the topic are read within bounds."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from operators.catalog.feeds.read import ReadPacket, RejectedRow, read_feed
from operators.catalog.feeds.rows import MAX_ROW_BYTES
from operators.catalog.feeds.separated import MAX_COLUMNS
from operators.catalog.feeds.source import FeedSource
from operators.catalog.feeds.variants import MAX_VARIANTS_BYTES
from operators.catalog.mapping import Mapping
from schemas.errors import InvalidFile
from tests.catalog.feed_shop import plain
from tests.catalog.small_shop import mapping_of


def product(number: int, **more: object) -> dict[str, object]:
    picture = f"https://shop.example/{number}.jpg"
    return {"id": str(number), "title": "Skirt", "price": "9 USD", "image_link": picture, **more}


def read(path: Path, mapping: Mapping) -> list[str]:
    """The id of each packet, the reason of each refused row."""
    found = []
    for row in read_feed(FeedSource(path.name, path), mapping, version=1):
        if isinstance(row, RejectedRow):
            found.append(row.reason)
        elif isinstance(row, ReadPacket):
            found.append(row.packet.product_id)
    return found


def test_a_very_long_parquet_row_is_refused_and_its_neighbours_are_read(tmp_path: Path) -> None:
    rows = [product(1, note=""), product(2, note="x" * MAX_ROW_BYTES), product(3, note="x" * 1000)]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "feed.parquet")
    assert read(tmp_path / "feed.parquet", plain()) == ["1", "too-long", "3"]


def test_rows_of_a_parquet_file_whose_rows_are_all_long_are_read(tmp_path: Path) -> None:
    rows = [product(number, note=f"{number}" + "x" * MAX_ROW_BYTES) for number in range(40)]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "feed.parquet")
    assert read(tmp_path / "feed.parquet", plain()) == ["too-long"] * 40


def test_a_header_of_very_many_columns_is_refused(tmp_path: Path) -> None:
    columns = ["id", "title", *(f"c{number}" for number in range(MAX_COLUMNS))]
    (tmp_path / "feed.csv").write_text(f"{','.join(columns)}\n1,Skirt\n")
    with pytest.raises(InvalidFile, match="10,002 columns; at most 10,000 are read"):
        read(tmp_path / "feed.csv", plain())


VARIANTS = """
vendor = "plain"
[fields]
title = "title"
price = "variant.price"
image_urls = "image_link"
[variant]
list = "variants"
id = "sku"
[feed]
id = "variant.sku"
"""


def test_a_row_whose_variants_would_flood_the_topic_is_refused(tmp_path: Path) -> None:
    def with_variants(number: int, count: int) -> str:
        variants = [{"sku": f"{number}-{n}", "price": "9 USD"} for n in range(count)]
        return json.dumps(product(number, variants=variants))

    path = tmp_path / "feed.jsonl"
    path.write_text("\n".join([with_variants(1, 40), with_variants(2, 5_000), with_variants(3, 1)]))
    assert path.stat().st_size < MAX_VARIANTS_BYTES // 100
    found = read(path, mapping_of(VARIANTS))
    assert found == [*(f"1-{n}" for n in range(40)), "too-many-variants", "3-0"]
