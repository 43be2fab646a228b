"""`looksync ingest` of a tab-separated file against a bare loop of csv and json, in one run.

    python -m benchmarks.ingest [ROWS]

The bare loop reads each row into a dict and writes it as one line of JSON. Ingest does what the
command does: it finds encoding and dialect, checks each row against the mapping, recognises
repeated ids, and appends the packets to a topic of files. Both are measured in CPU seconds of this
process, which other programs on the machine do not change; the best of three turns counts.
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from dataflows.jobs.ingest import IngestRequest, run_ingest
from operators.catalog.mapping import load_mappings
from schemas.settings import load_settings

TURNS = 3
MAPPING = "google_merchant"
COLOURS = ("black", "navy", "off white", "olive green", "red")
SIZES = ("XS", "S", "M", "L", "XL")
COLUMNS = (
    "id",
    "title",
    "description",
    "brand",
    "google_product_category",
    "product_type",
    "gender",
    "color",
    "size",
    "size_system",
    "item_group_id",
    "link",
    "image_link",
    "additional_image_link",
    "price",
    "sale_price",
    "quantity",
    "availability",
    "target_country",
    "content_language",
)
"""As in a shop's export: those that the mapping reads."""


def write_export(path: Path, rows: int) -> None:
    """A file of one-product rows of about 750 bytes, every tenth of them on sale."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(COLUMNS)
        for number in range(rows):
            colour, size = COLOURS[number % len(COLOURS)], SIZES[number // 7 % len(SIZES)]
            picture = f"https://cdn.example.com/pictures/{number:07d}"
            writer.writerow(
                (
                    f"SKU-{number:07d}",
                    f"Café Rua women's linen blend shirt dress, {colour}, {size}",
                    "A relaxed shirt dress of a linen blend – with a belt, side pockets and horn "
                    "buttons. Machine wash at 30 °C. The model is 176 cm tall and wears size S.",
                    "Café Rua",
                    "2271",
                    "Apparel > Women > Dresses > Shirt dresses",
                    "female",
                    colour,
                    size,
                    "US",
                    f"STYLE-{number // 5:06d}",
                    f"https://shop.example.com/products/style-{number // 5}?variant={number}",
                    f"{picture}-1.jpg",
                    f"{picture}-2.jpg,{picture}-3.jpg",
                    f"{40 + number * 37 % 180}.{number * 7 % 100:02d} USD",
                    f"{20 + number % 17}.{number * 3 % 100:02d} USD" if number % 10 == 0 else "",
                    str(number % 40),
                    "in stock" if number % 40 else "out of stock",
                    "US",
                    "en",
                )
            )


def bare_loop(path: Path, target: Path) -> int:
    """The rows as lines of JSON."""
    count = 0
    with path.open(encoding="utf-8", newline="") as file, target.open("w") as out:
        for row in csv.DictReader(file, delimiter="\t"):
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    return count


def ingested(path: Path, folder: Path) -> int:
    """The packets that ingest sends for the same rows."""
    settings = load_settings(topics={"folder": folder / "topics"})
    mapping = load_mappings(settings.catalog.mappings)[MAPPING]
    report = run_ingest(IngestRequest([str(path)], mapping), settings)
    return report.sent


def cpu_seconds(work: Callable[[], int], rows: int) -> float:
    """CPU seconds of the process during ``work``, which has to return ``rows``."""
    started = time.process_time()
    done = work()
    spent = time.process_time() - started
    assert done == rows, f"{done:,} of {rows:,} rows"
    return spent


def main(rows: int = 50_000) -> None:
    bare, ours = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "export.tsv"
        write_export(file, rows)
        for turn in range(TURNS):
            target = folder / f"turn-{turn}"
            target.mkdir()
            bare.append(cpu_seconds(partial(bare_loop, file, target / "bare.jsonl"), rows))
            ours.append(cpu_seconds(partial(ingested, file, target), rows))
    print(f"rows                  {rows:>10,}")
    print(f"bare csv + json loop  {rows / min(bare):>10,.0f} rows per CPU second")
    print(f"ingest                {rows / min(ours):>10,.0f} rows per CPU second")
    print(f"ingest / bare         {min(bare) / min(ours):>10.2f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
