"""Whole exports of shop systems: every row is indexed, or refused with a reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from operators.catalog.mapping import Mapping
from schemas.money import Money
from tests.catalog.feed_shop import FeedShop
from tests.catalog.shop_exports import (
    GOOGLE,
    SHOPIFY,
    SHOPIFY_TODAY,
    WOO,
    google_rows,
    schema_org_document,
    shopify_rows,
    shopify_rows_today,
    woo_rows,
    write,
    write_google_xml,
)

ROWS = 500


def money(amount: str, currency: str = "USD") -> Money:
    return Money(amount_minor=round(float(amount) * 100), currency=currency)


def shopify(folder: Path) -> Path:
    return write(folder / "products_export.csv", SHOPIFY, shopify_rows(ROWS))


def shopify_today(folder: Path) -> Path:
    return write(folder / "products_export_1.csv", SHOPIFY_TODAY, shopify_rows_today(ROWS))


def google_tsv(folder: Path) -> Path:
    return write(folder / "feed.txt", GOOGLE, google_rows(ROWS), "\t")


def google_xml(folder: Path) -> Path:
    return write_google_xml(folder / "feed.xml", google_rows(ROWS))


def woo(folder: Path) -> Path:
    return write(folder / "wc-product-export.csv", WOO, woo_rows(ROWS // 5))


def schema_org(folder: Path) -> Path:
    path = folder / "products.json"
    path.write_text(json.dumps(schema_org_document()))
    return path


@pytest.mark.parametrize(
    ("vendor", "export", "refused"),
    [
        # Two variants without a price that can be read.
        ("shopify", shopify, {"missing-field": 1, "invalid-price": 1}),
        ("shopify", shopify_today, {"missing-field": 1, "invalid-price": 1}),
        ("google_merchant", google_tsv, {"missing-field": 10}),
        ("google_merchant", google_xml, {"missing-field": 10}),
        ("woocommerce", woo, {}),
        ("schema_org", schema_org, {"missing-field": 1}),
    ],
)
async def test_every_row_is_indexed_or_refused_with_a_reason(
    tmp_path: Path,
    mappings: dict[str, Mapping],
    vendor: str,
    export: Callable[[Path], Path],
    refused: dict[str, int],
) -> None:
    shop = FeedShop(mappings[vendor])
    report = await shop.ingest(export(tmp_path))
    assert report.refused == refused
    assert report.repeated == 0
    assert await shop.shop.index.count() == report.sent
    assert report.read == report.sent + report.rows_refused + report.skipped
    if vendor != "schema_org":
        assert report.read == ROWS


GOOGLE_ODD = {
    ("title", "cut"): {"title": "Skirt " * 200},
    ("description", "cut"): {"description": "<p>Soft.</p>" * 5000},
    ("brand", "null-word"): {"brand": "N/A"},
    ("brand", "invalid-characters"): {"brand": "Ru\x07a"},
    ("style_id", "too-long"): {"item_group_id": "s" * 301},
    ("url", "wrong-scheme"): {"link": "javascript:alert(1)"},
    ("image_urls", "too-many"): {
        "additional_image_link": ",".join(f"https://cdn.shop.example/{n}.jpg" for n in range(60))
    },
    ("image_urls", "relative-url"): {"additional_image_link": "back.jpg"},
    ("available", "unknown-value"): {"availability": "maybe"},
    ("sale_price", "zero"): {"sale_price": "0.00 USD"},
    ("sale_price", "not-below-price"): {"sale_price": "59.00 USD"},
    ("sale_price", "ends-before-it-begins"): {
        "sale_price": "39.00 USD",
        "sale_price_effective_date": "2026-12-24T00:00Z/2026-11-01T00:00Z",
    },
    ("sale_price", "invalid-price"): {"sale_price": "$39"},
    ("sale_until", "invalid-time"): {
        "sale_price": "39.00 USD",
        "sale_price_effective_date": "in November",
    },
}
"""Values of an export that cost their field only, by their note."""

SHOPIFY_ODD = {
    ("description", "cut"): {"Body (HTML)": "<p>Soft.</p>" * 5000},
    ("brand", "null-word"): {"Vendor": "-"},
    ("list_price", "below-price"): {"Variant Compare At Price": "1.00"},
    ("list_price", "invalid-price"): {"Variant Compare At Price": "was more"},
    ("stock", "negative"): {"Variant Inventory Qty": "-4", "Variant Inventory Tracker": "shopify"},
    ("image_urls", "relative-url"): {"Variant Image": "v.jpg"},
    ("available", "unknown-value"): {"Status": "active", "Published": "perhaps"},
}


@pytest.mark.parametrize(
    ("vendor", "columns", "every", "odd"),
    [
        ("google_merchant", GOOGLE, google_rows(ROWS), GOOGLE_ODD),
        ("shopify", SHOPIFY, [row for row in shopify_rows(ROWS) if row.get("Title")], SHOPIFY_ODD),
    ],
)
async def test_odd_values_cost_their_field_and_are_counted(
    tmp_path: Path,
    mappings: dict[str, Mapping],
    vendor: str,
    columns: list[str],
    every: list[dict[str, Any]],
    odd: dict[tuple[str, str], dict[str, str]],
) -> None:
    rows = [row for row in every if row.get("price", "49.00 USD")]
    changes = list(odd.values())
    changed = [{**row, **changes[n % len(changes)]} for n, row in enumerate(rows)]
    path = write(tmp_path / "feed.csv", columns, changed)
    shop = FeedShop(mappings[vendor])
    report = await shop.ingest(path)
    assert (report.refused, report.repeated) == ({}, 0)
    assert (report.read, report.sent) == (len(rows), len(rows))
    assert await shop.shop.index.count() == len(rows)
    counted = {note: len(rows[n :: len(odd)]) for n, note in enumerate(odd)}
    assert {note: rows for note, rows in report.notes.items() if note in odd} == counted
    assert report.notes.keys() - odd.keys() <= {("sale_from", "invalid-time")}


async def test_shopify(tmp_path: Path, mappings: dict[str, Mapping]) -> None:
    shop = FeedShop(mappings["shopify"])
    report = await shop.ingest(shopify(tmp_path))
    assert report.skipped == ROWS // 3 - 1 + 1, "two of six rows are further pictures"
    second = (await shop.entry("RIO-1-2")).update
    assert second.title == "Rio skirt, 1 \N{EN DASH} “summer”"
    assert "made in Jaipur" in second.description or "made</b> in Jaipur" in second.description
    assert (second.brand, second.style_id, second.gender_text) == ("Rua", "skirt-1", "female")
    assert (second.colour_text, second.size_texts) == ("Navy", ("M",))
    assert (second.price, second.list_price) == (money("20.00"), money("30.00"))
    assert second.stock is None, "its policy is to go on selling"
    assert second.image_urls == (
        "https://cdn.shopify.example/v-1.jpg",
        "https://cdn.shopify.example/skirt-1-0.jpg?v=17",
        "https://cdn.shopify.example/skirt-1-4.jpg?v=17",
        "https://cdn.shopify.example/skirt-1-5.jpg?v=17",
    )
    sold_out = (await shop.entry("RIO-5-0")).update
    assert (sold_out.stock, sold_out.in_stock) == (0, False)
    assert not (await shop.entry("RIO-2-1")).update.available, "a draft"
    assert not (await shop.entry("RIO-3-1")).update.available, "not published"
    assert (await shop.entry("skirt-4-Red-S")).update.price == money("21.00")


async def test_shopify_under_todays_column_names(
    tmp_path: Path, mappings: dict[str, Mapping]
) -> None:
    before, today = FeedShop(mappings["shopify"]), FeedShop(mappings["shopify"])
    await before.ingest(shopify(tmp_path))
    await today.ingest(shopify_today(tmp_path))
    updates = {p.product_id: (await before.entry(p.product_id)).update for p in before.packets}
    assert len(updates) > ROWS // 2
    assert updates == {
        p.product_id: (await today.entry(p.product_id)).update for p in today.packets
    }


TRACKER, POLICY, QUANTITY = (
    "Variant Inventory Tracker",
    "Variant Inventory Policy",
    "Variant Inventory Qty",
)


@pytest.mark.parametrize(
    ("cells", "stock"),
    [
        ({TRACKER: "shopify", POLICY: "deny", QUANTITY: "0"}, 0),
        ({TRACKER: "shopify", POLICY: "deny", QUANTITY: "3"}, 3),
        ({TRACKER: "shopify", POLICY: "continue", QUANTITY: "0"}, None),
        ({TRACKER: "", POLICY: "deny", QUANTITY: "0"}, None),
        ({POLICY: "deny", QUANTITY: "0"}, 0),
        ({QUANTITY: "0"}, 0),
        ({"Inventory tracker": "", QUANTITY: "0"}, None),
        (
            {
                "Inventory tracker": "shopify",
                "Inventory quantity": "0",
                "Continue selling when out of stock": "DENY",
            },
            0,
        ),
        (
            {
                "Inventory tracker": "shopify",
                "Inventory quantity": "0",
                "Continue selling when out of stock": "FALSE",
            },
            0,
        ),
        (
            {
                "Inventory tracker": "shopify",
                "Inventory quantity": "0",
                "Continue selling when out of stock": "TRUE",
            },
            None,
        ),
        ({"Inventory tracker": "shopify"}, None),
    ],
)
async def test_shopify_stock(
    tmp_path: Path, mappings: dict[str, Mapping], cells: dict[str, str], stock: int | None
) -> None:
    row = {
        "Handle": "rio",
        "Title": "Rio",
        "Variant SKU": "1",
        "Variant Price": "9",
        "Image Src": "https://cdn.shopify.example/1.jpg",
        **cells,
    }
    shop = FeedShop(mappings["shopify"])
    await shop.ingest(write(tmp_path / "stock.csv", list(row), [row]))
    update = (await shop.entry("1")).update
    assert (update.stock, update.in_stock) == (stock, stock != 0)


async def test_google(tmp_path: Path, mappings: dict[str, Mapping]) -> None:
    tsv, xml = FeedShop(mappings["google_merchant"]), FeedShop(mappings["google_merchant"])
    await tsv.ingest(google_tsv(tmp_path))
    await xml.ingest(google_xml(tmp_path))
    for number in (0, 1, 2, 7):
        from_tsv = (await tsv.entry(f"sku_{number}")).update
        assert from_tsv == (await xml.entry(f"sku_{number}")).update
        assert len(from_tsv.image_urls) == 1 + number % 4
    update = (await tsv.entry("sku_1")).update
    assert update.title == 'Rio "wide" skirt 1'
    assert update.price_at(tsv.now) == money("39.00")
    assert not update.available


async def test_woocommerce(tmp_path: Path, mappings: dict[str, Mapping]) -> None:
    shop = FeedShop(mappings["woocommerce"])
    report = await shop.ingest(woo(tmp_path))
    assert report.skipped == ROWS // 5, "the styles"
    update = (await shop.entry("WS0-2")).update
    assert (update.colour_text, update.size_texts, update.style_id) == ("Navy", ("S",), "WS0")
    assert update.image_urls == ("https://shop.example/0-a.jpg", "https://shop.example/0-b.jpg")
    assert update.price == money("49")
    assert (update.category_text or "").startswith("Women > Skirts")
    assert not (await shop.entry("WS0-3")).update.in_stock
    reduced = (await shop.entry("WS1-2")).update
    assert (reduced.price, reduced.price_at(shop.now)) == (money("49"), money("39"))


async def test_schema_org(tmp_path: Path, mappings: dict[str, Mapping]) -> None:
    shop = FeedShop(mappings["schema_org"])
    report = await shop.ingest(schema_org(tmp_path))
    assert report.skipped == 1, "the shop itself"
    first = (await shop.entry("P1")).update
    assert (first.price, first.brand) == (money("25.50", "EUR"), "Rua")
    coat = (await shop.entry("P2")).update
    assert (coat.title, coat.price) == ("Wool coat", money("120", "EUR"))
    assert coat.image_urls == ("https://s.example/a.jpg", "https://s.example/b.jpg")
    navy = (await shop.entry("G-navy")).update
    assert (navy.colour_text, navy.size_texts, navy.style_id) == ("Navy", ("M",), "G")
    assert navy.image_urls == ("https://s.example/red.jpg",)
    assert (navy.category_text, navy.available) == ("Women > Skirts", False)
