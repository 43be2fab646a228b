"""Schema.org's products in the shapes in which shops write JSON-LD."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from operators.catalog.feeds.read import ReadPacket, SkippedRow, read_feed
from operators.catalog.feeds.source import FeedSource
from operators.catalog.map_packet import map_packet
from operators.catalog.mapping import Mapping
from schemas.catalog import ProductUpdate
from schemas.errors import InvalidFile
from schemas.money import Money

IN_STOCK, SOLD_OUT = "https://schema.org/InStock", "http://schema.org/OutOfStock"


@pytest.fixture
def schema_org(mappings: dict[str, Mapping]) -> Mapping:
    return mappings["schema_org"]


def offer(**changes: Any) -> dict[str, Any]:
    base = {"@type": "Offer", "price": 25.5, "priceCurrency": "EUR", "availability": IN_STOCK}
    return base | changes


def product(sku: str, **changes: Any) -> dict[str, Any]:
    base = {"@type": "Product", "sku": sku, "name": f"Skirt {sku}", "image": "https://s.example/a"}
    return {**base, "offers": offer(), **changes}


GROUP = {
    "@type": "ProductGroup",
    "productGroupID": "G",
    "name": "Rio skirt",
    "brand": {"@type": "Brand", "name": "Rua"},
    "hasVariant": [
        {"sku": "g1", "color": "Red", "image": "https://s.example/1", "offers": offer()},
        {"sku": "g2", "name": "Rio skirt, blue", "image": "https://s.example/2", "offers": offer()},
    ],
}


def entries(*items: dict[str, Any]) -> dict[str, Any]:
    listed = [{"@type": "ListItem", "position": n, "item": i} for n, i in enumerate(items, 1)]
    return {"@type": "ItemList", "name": "Summer sale", "itemListElement": listed}


def read(
    tmp_path: Path, mapping: Mapping, document: object, name: str = "feed.jsonld"
) -> tuple[dict[str, ProductUpdate], int]:
    """Updates by id, and the number of items that are no products."""
    path = tmp_path / name
    path.write_text(json.dumps(document))
    rows = list(read_feed(FeedSource.of(str(path)), mapping, version=1))
    skipped = sum(isinstance(row, SkippedRow) for row in rows)
    packets = [row.packet for row in rows if isinstance(row, ReadPacket)]
    assert len(packets) + skipped == len(rows), rows
    return {one.product_id: map_packet(one, mapping).update for one in packets}, skipped


@pytest.mark.parametrize(
    ("document", "ids", "skipped"),
    [
        (product("1"), ["1"], 0),
        ([product("1"), product("2")], ["1", "2"], 0),
        ({"@context": "https://schema.org", **GROUP}, ["g1", "g2"], 0),
        (entries(product("1"), GROUP), ["1", "g1", "g2"], 0),
        ({"@type": "ItemList", "itemListElement": [product("1"), product("2")]}, ["1", "2"], 0),
        ({"@graph": [{"@type": "WebPage"}, product("1"), GROUP]}, ["1", "g1", "g2"], 1),
        ({"@graph": [{"@type": "WebSite"}, entries(product("1")), product("2")]}, ["1", "2"], 1),
        ([entries(product("1"), product("2"))], ["1", "2"], 0),
    ],
)
@pytest.mark.parametrize("name", ["feed.jsonld", "feed.json"])
def test_documents(
    tmp_path: Path, schema_org: Mapping, document: Any, ids: list[str], skipped: int, name: str
) -> None:
    updates, others = read(tmp_path, schema_org, document, name)
    assert (list(updates), others) == (ids, skipped)


@pytest.mark.parametrize(
    ("line", "ids"),
    [
        (product("1"), ["1"]),
        (GROUP, ["g1", "g2"]),
        (entries(product("1"), product("2")), ["1", "2"]),
    ],
)
def test_lines(tmp_path: Path, schema_org: Mapping, line: Any, ids: list[str]) -> None:
    updates, _ = read(tmp_path, schema_org, line, "feed.jsonl")
    assert list(updates) == ids


def test_a_document_about_something_else_holds_no_product(
    tmp_path: Path, schema_org: Mapping
) -> None:
    assert read(tmp_path, schema_org, {"@type": "Organization", "name": "Rio"}) == ({}, 1)


def test_a_document_that_breaks_off_is_reported(tmp_path: Path, schema_org: Mapping) -> None:
    path = tmp_path / "broken.json"
    path.write_text('{"@graph": [')
    with pytest.raises(InvalidFile, match="not JSON"):
        list(read_feed(FeedSource.of(str(path)), schema_org, version=1))


def test_what_a_variant_does_not_say_its_group_does(tmp_path: Path, schema_org: Mapping) -> None:
    updates, _ = read(tmp_path, schema_org, entries(GROUP))
    assert (updates["g1"].title, updates["g1"].brand, updates["g1"].style_id) == (
        "Rio skirt",
        "Rua",
        "G",
    )
    assert (updates["g2"].title, updates["g2"].colour_text) == ("Rio skirt, blue", None)


def test_the_name_of_a_list_is_no_title(tmp_path: Path, schema_org: Mapping) -> None:
    document = {"@graph": [entries(product("1", description=None, brand=None, category=None))]}
    updates, _ = read(tmp_path, schema_org, document)
    assert (updates["1"].title, updates["1"].brand) == ("Skirt 1", None)


@pytest.mark.parametrize(
    ("offers", "price", "before", "available"),
    [
        (offer(), 2550, None, True),
        (offer(price="25.50", availability=SOLD_OUT), 2550, None, False),
        ([offer(price=99, availability="OutOfStock"), offer(price=20)], 2000, None, True),
        ([offer(price=99, availability=SOLD_OUT)], 9900, None, False),
        (
            {
                "@type": "AggregateOffer",
                "lowPrice": "12",
                "highPrice": "15",
                "priceCurrency": "EUR",
            },
            1200,
            None,
            True,
        ),
        ({"@type": "AggregateOffer", "offers": [offer(price=31)]}, 3100, None, True),
        (
            {"@type": "AggregateOffer", "offers": [offer(price=3, availability=SOLD_OUT)]},
            300,
            None,
            False,
        ),
        (
            offer(
                price=40,
                priceSpecification={
                    "priceType": "https://schema.org/StrikethroughPrice",
                    "price": 60,
                    "priceCurrency": "EUR",
                },
            ),
            4000,
            6000,
            True,
        ),
        (
            {
                "@type": "Offer",
                "priceSpecification": [
                    {"priceType": "https://schema.org/ListPrice", "price": 60},
                    {"price": 45, "priceCurrency": "EUR"},
                    {"price": 30, "priceCurrency": "EUR", "validForMemberTier": {"name": "gold"}},
                ],
            },
            4500,
            6000,
            True,
        ),
    ],
)
def test_offers(
    tmp_path: Path,
    schema_org: Mapping,
    offers: object,
    price: int,
    before: int | None,
    available: bool,
) -> None:
    updates, _ = read(tmp_path, schema_org, product("1", offers=offers))
    update = updates["1"]
    assert update.price == Money(amount_minor=price, currency="EUR")
    assert (update.list_price.amount_minor if update.list_price else None) == before
    assert update.available is available


@pytest.mark.parametrize("brand", ["Rua", {"name": "Rua"}, [{"name": "Rua"}], ["Rua"]])
@pytest.mark.parametrize(
    "image",
    [
        ["https://s.example/1", "https://s.example/2"],
        [{"@type": "ImageObject", "url": "https://s.example/1"}, "https://s.example/2"],
        [{"contentUrl": "https://s.example/1"}, {"contentUrl": "https://s.example/2"}],
    ],
)
@pytest.mark.parametrize("size", [["S", "M"], [{"@type": "SizeSpecification", "name": "S"}, "M"]])
def test_texts_and_objects(
    tmp_path: Path, schema_org: Mapping, brand: object, image: object, size: object
) -> None:
    changes = {"brand": brand, "image": image, "size": size, "name": {"@value": "Coat"}}
    updates, _ = read(tmp_path, schema_org, product("1", **changes))
    update = updates["1"]
    assert (update.title, update.brand, update.size_texts) == ("Coat", "Rua", ("S", "M"))
    assert update.image_urls == ("https://s.example/1", "https://s.example/2")
