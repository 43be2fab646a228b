"""The catalogs as feed files, as a vendor would send them for a first import.

zari.csv              zari's flat rows
northfold.jsonl       northfold's nested records, one style with its variants a line
kisetsu.jsonl         kisetsu's records
google_merchant.xml   some of northfold's items in the Google Merchant Center format (RSS 2.0)
google_merchant.tsv   the same as tab-separated values
google_merchant.parquet
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.parquet as pq

from sandbox.life.truth import ProductTruth, Truth
from sandbox.life.world import World
from sandbox.world import describe
from schemas.catalog import Packet, PacketKind

_GOOGLE = "http://base.google.com/ns/1.0"
_GOOGLE_ITEMS = 40


def write_feed_files(world: World, folder: Path) -> list[Path]:
    """Write the vendors' files of the world's live products to ``folder``; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    truth = world.truth()
    live, newest = truth.live(), _newest_records(world, truth)
    of_vendor = {
        vendor: [packet.payload for packet in newest if packet.vendor == vendor]
        for vendor in ("zari", "northfold", "kisetsu")
    }
    google = [_google(p, world) for p in live.values() if p.market == "US"][:_GOOGLE_ITEMS]
    return [
        _write_csv(folder / "zari.csv", of_vendor["zari"], ","),
        _write_json_lines(
            folder / "northfold.jsonl", _one_per_style(of_vendor["northfold"], live.keys())
        ),
        _write_json_lines(folder / "kisetsu.jsonl", of_vendor["kisetsu"]),
        _write_xml(folder / "google_merchant.xml", google),
        _write_csv(folder / "google_merchant.tsv", google, "\t"),
        _write_parquet(folder / "google_merchant.parquet", google),
    ]


def _newest_records(world: World, truth: Truth) -> list[Packet]:
    """Return the newest upsert of each live product, in feed order."""
    live = truth.live()
    newest: dict[str, Packet] = {}
    for record, known in zip(world.packet_records(), truth.packets, strict=True):
        if known.fate == "dead" or record.key not in live:
            continue
        packet = Packet.model_validate_json(record.value)
        if packet.kind is not PacketKind.UPSERT:
            continue
        if record.key not in newest or newest[record.key].version < packet.version:
            newest[record.key] = packet
    return list(newest.values())


def _one_per_style(records: Iterable[dict[str, Any]], live: Iterable[str]) -> list[dict[str, Any]]:
    """Keep one northfold record per style, with its live variants."""
    sold = set(live)
    styles = {record["style"]["id"]: record for record in records}
    return [
        {
            **record,
            "variants": [v for v in record["variants"] if f"northfold:{v['sku']}" in sold],
        }
        for record in styles.values()
    ]


def _google(product: ProductTruth, world: World) -> dict[str, str]:
    """Describe a product with Google Merchant Center attributes."""
    garment = product.garment.garment()
    price = Decimal(product.price_minor) / 100
    _, product_id = product.key.split(":", 1)
    size_system, size = (product.size or ":").split(":", 1)
    return {
        "id": product_id,
        "title": f"{product.brand} {garment.type.title()}",
        "description": f"{describe(garment).capitalize()}.",
        "link": f"https://northfold.example/p/{product_id}",
        "image_link": f"{world.pictures.as_uri()}/{product.picture_file}",
        "availability": "in_stock" if product.in_stock else "out_of_stock",
        "price": f"{price:.2f} {product.currency}",
        "brand": product.brand,
        "condition": "new",
        "product_type": f"{garment.department.title()} > {garment.type.title()}",
        "color": garment.colour,
        "pattern": garment.pattern,
        "gender": product.gender or "",
        "age_group": "adult",
        "size": size,
        "size_system": "US" if size_system == "US" else "",
        "item_group_id": product.style.split(":", 1)[1],
        "target_country": product.market,
    }


def _write_csv(path: Path, rows: Sequence[dict[str, Any]], delimiter: str) -> Path:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def _write_json_lines(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return path


def _write_xml(path: Path, rows: Iterable[dict[str, str]]) -> Path:
    ElementTree.register_namespace("g", _GOOGLE)
    feed = ElementTree.Element("rss", version="2.0")
    channel = ElementTree.SubElement(feed, "channel")
    ElementTree.SubElement(channel, "title").text = "Northfold"
    for row in rows:
        item = ElementTree.SubElement(channel, "item")
        for name, value in row.items():
            if value:
                ElementTree.SubElement(item, f"{{{_GOOGLE}}}{name}").text = value
    ElementTree.indent(feed)
    ElementTree.ElementTree(feed).write(path, encoding="utf-8", xml_declaration=True)
    return path


def _write_parquet(path: Path, rows: Sequence[dict[str, str]]) -> Path:
    nullable = [{name: value or None for name, value in row.items()} for row in rows]
    pq.write_table(pa.Table.from_pylist(nullable), path)
    return path
