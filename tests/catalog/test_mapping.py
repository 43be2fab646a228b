"""The shipped mappings on realistic payloads, and the messages about invalid mapping files."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from operators.catalog.map_packet import map_packet
from operators.catalog.mapping import Mapping, load_mappings
from schemas.catalog import Packet, PacketKind, ProductUpdate
from schemas.errors import InvalidUpdate, Misconfigured
from schemas.money import Money
from tests.catalog.small_shop import MAPPING, NOW, mapping_of
from tests.catalog.vendor_payloads import GOOGLE, KISETSU, NORTHFOLD, ZARI


def map_payload(
    mappings: dict[str, Mapping], vendor: str, product_id: str, payload: Any, kind: str = "upsert"
) -> ProductUpdate:
    sent = Packet(
        vendor=vendor, product_id=product_id, kind=PacketKind(kind), version=1, payload=payload
    )
    return map_packet(sent, mappings[vendor]).update


def money(amount_minor: int, currency: str) -> Money:
    return Money(amount_minor=amount_minor, currency=currency)


def test_zari(mappings: dict[str, Mapping]) -> None:
    assert map_payload(mappings, "zari", "Z-1001-8", ZARI) == ProductUpdate(
        title="Sundari laal dhaari wali kameez",
        brand="Sundari",
        category_text="Mahila > Upar ke kapde > top",
        gender_text="Mahila",
        colour_text="laal",
        pattern_text="dhaari",
        size_texts=("UK 8",),
        size_system="UK",
        style_id="Z-1001",
        url="https://zari.example/p/1001",
        image_urls=("file:///zari/1001-a.jpg", "file:///zari/1001-b.jpg"),
        price=money(349_900, "INR"),
        list_price=money(499_900, "INR"),
        stock=12,
        market="IN",
        language="hi-Latn",
    )


def test_northfold_picks_the_packets_variant(mappings: dict[str, Mapping]) -> None:
    update = map_payload(mappings, "northfold", "N77-8", NORTHFOLD)
    assert update.price == money(99_950, "USD")
    assert update.list_price == money(129_900, "USD")
    assert (update.size_texts, update.size_system) == (("8",), "US")
    assert (update.stock, update.available, update.in_stock) == (7, True, True)
    assert update.category_text == "Clothing > Tops > Shirts"
    assert update.gender_text == "unisex"
    assert update.image_urls == (
        "https://cdn.example/n77.jpg",
        "https://cdn.example/n77-back.jpg",
    )
    other = map_payload(mappings, "northfold", "N77-S", NORTHFOLD)
    assert (other.size_texts, other.in_stock, other.list_price) == (("S",), False, None)


def test_northfold_refuses_another_currency(mappings: dict[str, Mapping]) -> None:
    payload = copy.deepcopy(NORTHFOLD)
    payload["variants"][1]["offer"]["price"]["currency"] = "EUR"
    with pytest.raises(InvalidUpdate, match="EUR"):
        map_payload(mappings, "northfold", "N77-8", payload)


@pytest.mark.parametrize(
    ("payload", "fields"),
    [
        ({"style": {"name": "New name"}}, {"title"}),
        (
            {"variants": [{"sku": "N77-8", "offer": {"price": {"text": "1,00"}}}]},
            {"price"},
        ),
        (
            {"variants": [{"sku": "N77-8", "offer": {"price": {"text": "1,00"}, "was": None}}]},
            {"price", "list_price"},
        ),
        ({"variants": [{"sku": "N77-8", "inventory": {"quantity": 3}}]}, {"stock"}),
        ({"style": {"media": [{"role": "alt", "href": "file:///x"}]}}, {"image_urls"}),
        ({}, set()),
    ],
)
def test_northfold_patches_set_only_their_fields(
    mappings: dict[str, Mapping], payload: Any, fields: set[str]
) -> None:
    assert map_payload(mappings, "northfold", "N77-8", payload, "patch").model_fields_set == fields


def test_kisetsu(mappings: dict[str, Mapping]) -> None:
    update = map_payload(mappings, "kisetsu", "K-55", KISETSU)
    assert update.price == money(12_800, "JPY")
    assert update.list_price == money(14_800, "JPY")
    assert (update.stock, update.in_stock) == (None, True)
    assert (update.title, update.market) == ("Tomoe 黒 無地 スニーカー", "JP")
    assert len(update.image_urls) == 2


@pytest.mark.parametrize(
    ("output", "stock", "in_stock"),
    [("在庫なし", 0, False), (3, 3, True), ("3", 3, True), ("残りわずか", None, True)],
)
def test_kisetsu_stock_in_numbers_and_words(
    mappings: dict[str, Mapping], output: object, stock: int | None, in_stock: bool
) -> None:
    update = map_payload(mappings, "kisetsu", "K-55", {"在庫": output}, "patch")
    assert update.model_fields_set == {"stock"}
    assert (update.stock, update.in_stock) == (stock, in_stock)


def test_google_merchant(mappings: dict[str, Mapping]) -> None:
    update = map_payload(mappings, "google_merchant", "g-1", GOOGLE)
    assert (update.price, update.sale_price) == (money(2_500, "USD"), money(1_500, "USD"))
    assert update.price_at(NOW) == money(1_500, "USD")
    assert update.category_text == "2271 > Women > Dresses > Midi Dresses"
    assert update.image_urls == (
        "https://shop.example/g-1.jpg",
        "https://shop.example/g-1b.jpg",
        "https://shop.example/g-1c.jpg?s=1,2",
    )
    without_sale = {**GOOGLE, "sale_price": "", "availability": "out of stock"}
    update = map_payload(mappings, "google_merchant", "g-1", without_sale)
    assert (update.price, update.sale_price) == (money(2_500, "USD"), None)
    assert not update.in_stock


def test_a_patch_with_only_a_second_picture_changes_no_picture(
    mappings: dict[str, Mapping],
) -> None:
    update = map_payload(mappings, "zari", "Z-1001-8", {"photo2": "file:///x"}, "patch")
    assert update.model_fields_set == set()


HEAD = 'vendor = "shop"\n'
FIELDS = '[fields]\ntitle = "name"\nimage_urls = "pictures"\nprice = "price"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("vendor = ", "Invalid value"),
        ("[fields]\n", "vendor: Field required"),
        (HEAD, "fields: Field required"),
        (
            HEAD + FIELDS.replace("title", "titel"),
            "fields.titel: no such field; the fields are title",
        ),
        (HEAD + FIELDS.replace('"name"', '"name["'), "fields.title: 'name[' is not a JMESPath"),
        (HEAD + FIELDS.replace('"name"', "7"), "fields.title.path"),
        (HEAD + FIELDS.replace('"name"', "[]"), "fields.title.path"),
        (HEAD + FIELDS.replace('"name"', "{ paht = 'x' }"), "fields.title.path"),
        (HEAD + FIELDS + 'brand = { path = "b", table = "brands" }\n', "tables.brands"),
        (HEAD + '[fields]\ntitle = "name"\n', "fields.image_urls: required"),
        (HEAD + 'currency = "XQX"\n' + FIELDS, "currency: 'XQX' is not an ISO 4217 code"),
        (HEAD + 'currency = "rupees"\n' + FIELDS, "currency: String should match"),
        (HEAD + 'market = "India"\n' + FIELDS, "market: String should match"),
        (HEAD + FIELDS + '[price]\ndecimal = "."\ncents = true\n', "price.cents: Extra inputs"),
        (HEAD + FIELDS + '[price]\ndecimal = ";"\n', "price.decimal"),
        (HEAD + 'price = "."\n' + FIELDS, "price: must be a table"),
        (HEAD + FIELDS + '[variant]\nlist = "variants"\n', "variant.id: Field required"),
        (HEAD + FIELDS + '[feed]\nid = "a b["\n', "feed.id: 'a b[' is not a JMESPath"),
        (HEAD + FIELDS + "[tables.colour]\nred = 1.5\n", "tables.colour.red"),
        (HEAD + 'required = ["colour"]\n' + FIELDS, "fields.colour: no such field"),
        (HEAD.replace("shop", "Shop!") + FIELDS, "vendor: String should match"),
    ],
)
def test_errors_in_mapping_files_name_file_table_and_field(text: str, says: str) -> None:
    with pytest.raises(Misconfigured) as wrong:
        mapping_of(text)
    assert "mapping.toml: " in str(wrong.value)
    assert says in str(wrong.value)


def test_a_folder_without_mappings_is_reported(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="no vendor mapping"):
        load_mappings(tmp_path)


def test_two_mappings_of_one_vendor_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(MAPPING)
    (tmp_path / "b.toml").write_text(MAPPING)
    with pytest.raises(Misconfigured, match=r"b\.toml: vendor: another file already maps 'shop'"):
        load_mappings(tmp_path)


def test_a_missing_mapping_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"none\.toml"):
        Mapping.load(tmp_path / "none.toml")


def test_a_word_that_is_said_again_is_noted_again() -> None:
    mapping = mapping_of(MAPPING)
    field, path = "colour_text", mapping.fields["colour_text"].paths[0].text
    for _ in range(2):
        sent = Packet(
            vendor="shop", product_id="1", kind=PacketKind.PATCH, version=1, payload={path: "N/A"}
        )
        mapped = map_packet(sent, mapping)
        assert mapped.update.colour_text is None
        assert [(note.field, note.reason) for note in mapped.notes] == [(field, "null-word")]


def test_mappings_read_the_same_word_each_in_its_own_way() -> None:
    dollars, rupees = (mapping_of(MAPPING.replace('"INR"', f'"{code}"')) for code in ("USD", "INR"))
    payload = {rupees.fields["price"].paths[0].text: "12"}
    sent = Packet(vendor="shop", product_id="1", kind=PacketKind.PATCH, version=1, payload=payload)
    assert map_packet(sent, dollars).update.price == money(1200, "USD")
    assert map_packet(sent, rupees).update.price == money(1200, "INR")
