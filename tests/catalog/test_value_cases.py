"""Odd values in files (tests/data/feeds), each with what is made of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest

from operators.catalog.feeds.read import ReadPacket, RejectedRow, read_feed
from operators.catalog.feeds.source import FeedSource
from operators.catalog.map_packet import map_packet
from operators.catalog.sizes import normalise_sizes
from schemas.catalog import ProductUpdate
from tests.catalog.feed_shop import DATA, MORNING
from tests.catalog.small_shop import mapping_of

Value = TypeVar("Value")

MAPPING = mapping_of("""
vendor = "plain"
[fields]
title = "title"
description = "description"
brand = "brand"
category_text = "product_type"
colour_text = "color"
size_texts = "size"
size_system = "size_system"
url = "link"
image_urls = ["image_link", "more_images"]
price = "price"
sale_price = "sale_price"
sale_from = "sale_price_effective_date"
sale_until = "sale_price_effective_date"
stock = "quantity"
available = "availability"
market = "target_country"
[feed]
id = "id"
""")


class File:
    """A file's updates and notes by product id, and the ids of its refused rows."""

    def __init__(self, name: str) -> None:
        self.updates: dict[str, ProductUpdate] = {}
        self.notes: dict[str, set[tuple[str, str]]] = {}
        self.refused: dict[str, str] = {}
        for row in read_feed(FeedSource(name, DATA / name), MAPPING, version=1):
            if isinstance(row, ReadPacket):
                product_id = row.packet.product_id
                self.updates[product_id] = map_packet(row.packet, MAPPING).update
                if row.notes:
                    self.notes[product_id] = {(note.field, note.reason) for note in row.notes}
            elif isinstance(row, RejectedRow):
                assert row.key is not None
                self.refused[row.key.removeprefix("plain:")] = row.reason

    def all(self, value: Callable[[ProductUpdate], Value]) -> dict[str, Value]:
        return {product_id: value(update) for product_id, update in self.updates.items()}


def price_of(update: ProductUpdate) -> str:
    price = update.price_at(MORNING)
    assert price is not None
    return f"{price.major} {price.currency}"


def test_prices() -> None:
    file = File("prices.tsv")
    assert file.all(price_of) == {
        "magento4": "34.00 USD",
        "us_cad": "19.99 CAD",
        "usd_text": "12.00 USD",
        "narrow_nbsp": "1299.00 EUR",
        "zl": "199.00 PLN",
        "brl": "199.90 BRL",
        "dash": "25.00 EUR",
        "swissquote": "1299.00 CHF",
        "nbsp_eur": "12.50 EUR",
        "inc": "1999.00 INR",
        "inr": "4999.00 INR",
        "zero": "0.00 USD",
        "won": "35000 KRW",
        "wonword": "35000 KRW",
        "aed": "120.00 AED",
        "dh": "120.00 AED",
        "rub": "1990.00 RUB",
        "try": "499.90 TRY",
        "thb": "499.00 THB",
        "vnd": "499000 VND",
        "sgd": "49.00 SGD",
        "hkd": "490.00 HKD",
        "twd": "490.00 TWD",
        "html": "25.00 GBP",
        "gbp": "25.00 GBP",
        "ind": "129999.00 INR",
        "jpyword": "2980 JPY",
    }
    several_currencies = {"kr", "rs499", "cny", "jpyword2"}
    no_currency, another_price = {"float3"}, {"excl", "range", "jpyword3", "fullyen"}
    assert file.refused == dict.fromkeys(
        several_currencies | no_currency | another_price, "invalid-price"
    )


def test_stock() -> None:
    file = File("stock.tsv")
    assert file.refused == {}
    assert file.all(lambda update: update.stock) == {
        "neg": 0,
        "plus": 10,
        "gt": 10,
        "thousand": 1200,
        "word": None,
        "na": None,
        "dash": None,
        "dec": 12,
        "frac": 3,
        "empty": None,
    }
    assert all(file.updates[name].in_stock for name in ("word", "na", "empty"))
    assert file.notes["neg"] == {("stock", "negative")}
    assert file.notes["na"] == {("stock", "null-word")}
    assert file.notes.keys() == {"neg", "plus", "gt", "word", "na", "dash", "frac"}


def test_sizes() -> None:
    file = File("sizes.tsv")
    assert file.refused == {}
    sizes = file.all(lambda update: normalise_sizes(update.size_texts, update.size_system))
    one = [product_id for product_id, found in sizes.items() if found == ("ALPHA:ONE",)]
    assert one == ["s0", "s1", "s17", "s18", "s19", "s24", "s32", "s33"]
    untold = [product_id for product_id, found in sizes.items() if not found]
    assert untold == ["s14", "s15", "s16", "s25", "s29", "s38"]
    assert {name: sizes[name] for name in sizes if name not in (*one, *untold)} == {
        "s2": ("US:8", "US:9"),
        "s3": ("US:8", "US:9"),
        "s4": ("US:6", "US:8"),
        "s5": ("ALPHA:S", "ALPHA:M"),
        "s6": ("ALPHA:XS", "ALPHA:S"),
        "s7": ("US:7.5",),
        "s8": ("US:8", "EU:39"),
        "s9": ("WAIST:30",),
        "s10": ("WAIST:30",),
        "s11": ("AGE:2T",),
        "s12": ("AGE:6-12M",),
        "s13": ("ALPHA:1X",),
        "s20": ("US:38", "ALPHA:M"),
        "s21": ("ALPHA:M", "US:10", "US:12"),
        "s22": ("UK:10",),
        "s23": ("EU:38", "EU:40"),
        "s26": ("ALPHA:XXL", "ALPHA:3XL"),
        "s27": ("US:10.5",),
        "s28": ("US:10.5",),
        "s30": ("ALPHA:S", "ALPHA:M", "ALPHA:L"),
        "s31": ("ALPHA:M", "ALPHA:L", "ALPHA:XL"),
        "s34": ("ALPHA:XL",),
        "s35": ("ALPHA:XXL",),
        "s36": ("ALPHA:L",),
        "s37": ("CM:24.5",),
    }


def test_sales_and_availability() -> None:
    file = File("sale_expired.tsv")
    assert file.refused == {}
    assert file.all(price_of) == dict.fromkeys(file.updates, "50.00 USD")
    assert [name for name, update in file.updates.items() if not update.available] == ["s5", "s9"]
    assert file.notes == {
        "s2": {("sale_price", "zero")},
        "s3": {("sale_price", "null-word")},
        "s4": {("sale_price", "not-below-price")},
    }


def test_titles() -> None:
    file = File("titles.tsv")
    assert file.refused == {"t8": "missing-field", "t9": "missing-field"}
    assert all(
        (update.brand, update.colour_text) == (None, None) for update in file.updates.values()
    )
    assert {name: file.updates[name].title for name in ("t0", "t2", "t3", "t4", "t10", "t11")} == {
        "t0": "Women's T&Shirt",
        "t2": "TShirt red",
        "t3": "Red skirt",
        "t4": "Red skirt",
        "t10": "Red skirt",
        "t11": "Red skirt",
    }


def test_markets() -> None:
    file = File("market_words.tsv")
    assert file.all(lambda update: update.market) == {
        "0": "US",
        "1": "US",
        "2": "US",
        "3": "US",
        "4": None,
    }
    assert file.notes == {"4": {("market", "unknown-market")}}


def test_urls() -> None:
    file = File("image_urls.tsv")
    host = "https://cdn.shop.example"
    two = (f"{host}/a.jpg", f"{host}/b.jpg")
    assert file.all(lambda update: update.image_urls) == {
        "protorel": (f"{host}/a.jpg",),
        "space": (f"{host}/red%20%20dress.jpg",),
        "ampent": (f"{host}/a.jpg?w=1&h=2",),
        "semis": two,
        "pipes": two,
        "spaces": two,
        "commacdn": ("https://res.shop.example/w_400,h_500/a.jpg",),
        "trailing_comma": (f"{host}/a.jpg",),
    }
    assert file.refused == {"na": "missing-field"}


@pytest.mark.parametrize(
    ("name", "notes"),
    [
        ("many_sizes.jsonl", {"1": {("size_texts", "too-many")}}),
        ("long_description.jsonl", {}),
        ("nul_in_description.jsonl", {"1": {("description", "invalid-characters")}}),
        (
            "too_long_optional.jsonl",
            {
                "brand": {("brand", "cut")},
                "cats": {("category_text", "cut")},
                "colour": {("colour_text", "cut")},
                "url": {("url", "too-long")},
            },
        ),
    ],
)
def test_what_is_too_much_costs_its_field(
    name: str, notes: dict[str, set[tuple[str, str]]]
) -> None:
    file = File(name)
    assert (file.refused, file.notes) == ({}, notes)


def test_the_first_picture_there_is_becomes_the_main_one() -> None:
    file = File("main_picture_absent_second_there.jsonl")
    assert [update.image_urls[0] for update in file.updates.values()] == [
        "file://PICTURES/ok.jpg"
    ] * 4
    assert len(file.updates["4"].image_urls) == 2


SHOP = """
vendor = "shop"
currency = "EUR"
[price]
decimal = ","
[fields]
title = "title"
image_urls = { path = "pictures", split = '\\s*;\\s*', prefix = "https://cdn.shop.example/" }
size_texts = { path = "sizes", split = "+" }
brand = { path = "brand", null = ["Ohne Marke"], table = "brands" }
price = "price"
[tables.brands]
"none" = "None & Co"
[feed]
id = "id"
format = "csv"
delimiter = "|"
"""


def test_split_prefix_and_null_words_of_a_mapping(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("shop") / "feed.csv"
    path.write_text(
        "id|title|pictures|sizes|brand|price\n"
        "1|Rock|a.jpg; /b.jpg ;https://x.example/c.jpg|S+M|OHNE MARKE|12,50\n"
        "2|Rock|a.jpg|S|none|12,50\n",
        encoding="utf-8",
    )
    mapping = mapping_of(SHOP)
    rows = list(read_feed(FeedSource(path.name, path), mapping, version=1))
    first, second = (
        map_packet(r.packet, mapping).update for r in rows if isinstance(r, ReadPacket)
    )
    assert first.image_urls == (
        "https://cdn.shop.example/a.jpg",
        "https://cdn.shop.example/b.jpg",
        "https://x.example/c.jpg",
    )
    assert (first.size_texts, first.brand) == (("S", "M"), None)
    assert second.brand == "None & Co", "a table wins over null words"
    assert price_of(first) == "12.50 EUR"
