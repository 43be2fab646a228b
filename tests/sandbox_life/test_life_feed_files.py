from pathlib import Path

import pytest

from operators.catalog.feeds.read import ReadPacket, read_feed
from operators.catalog.feeds.source import FeedSource
from operators.catalog.mapping import load_mappings
from sandbox.life import Truth, World, write_feed_files
from schemas.catalog import Packet
from schemas.settings import Settings

MAPPINGS = load_mappings(Settings().catalog.mappings)


@pytest.fixture
def folder(world: World, tmp_path: Path) -> Path:
    write_feed_files(world, tmp_path)
    return tmp_path


def _read(path: Path, mapping: str) -> list[Packet]:
    """All rows, none rejected."""
    rows = list(read_feed(FeedSource.of(str(path)), MAPPINGS[mapping], version=1))
    packets = [row for row in rows if isinstance(row, ReadPacket)]
    assert packets == rows
    return [row.packet for row in packets]


@pytest.mark.parametrize("file", ["zari.csv", "northfold.jsonl", "kisetsu.jsonl"])
def test_a_vendors_file_has_its_live_products(truth: Truth, folder: Path, file: str) -> None:
    vendor = Path(file).stem
    keys = [packet.key for packet in _read(folder / file, vendor)]
    assert sorted(keys) == sorted(key for key in truth.live() if key.startswith(f"{vendor}:"))


def test_northfolds_file_keeps_the_variants_of_a_style_together(folder: Path) -> None:
    lines = (folder / "northfold.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) < len(_read(folder / "northfold.jsonl", "northfold"))


def test_the_google_files_say_the_same_in_three_formats(truth: Truth, folder: Path) -> None:
    of_format = {
        ending: _read(folder / f"google_merchant.{ending}", "google_merchant")
        for ending in ("tsv", "xml", "parquet")
    }
    stated = {
        ending: [{name: value for name, value in p.payload.items() if value} for p in packets]
        for ending, packets in of_format.items()
    }
    assert stated["tsv"] == stated["xml"] == stated["parquet"]
    assert len(stated["tsv"]) == 40
    assert {f"northfold:{packet.product_id}" for packet in of_format["xml"]} <= truth.live().keys()
