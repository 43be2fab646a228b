"""What the vendors of the sandbox send, through the mappings that ship with the project."""

from collections import Counter
from pathlib import Path

import pytest

from operators.catalog.map_packet import map_packet
from operators.catalog.mapping import load_mappings
from operators.catalog.rules import by_rules
from operators.vocabulary.taxonomy import Taxonomy
from sandbox.life import World, draw_world
from schemas.catalog import Packet, PacketKind, ProductUpdate
from schemas.errors import InvalidUpdate
from schemas.settings import Settings

_SETTINGS = Settings()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Many products of all vendors, few pictures."""
    return draw_world(tmp_path_factory.mktemp("large"), seed=5, products=1500, looks=0, pictured=40)


@pytest.fixture(scope="module")
def updates(large: World) -> list[tuple[Packet, ProductUpdate]]:
    """Every packet that is well and carries a payload, mapped."""
    mappings = load_mappings(_SETTINGS.catalog.mappings)
    mapped = []
    for record, known in zip(large.packet_records(), large.truth().packets, strict=True):
        if known.fate in ("dead", "pending"):
            continue
        packet = Packet.model_validate_json(record.value)
        if packet.kind is not PacketKind.DELETE:
            mapped.append((packet, map_packet(packet, mappings[packet.vendor]).update))
    return mapped


def test_what_a_vendor_sends_is_read_by_the_rules(
    large: World, updates: list[tuple[Packet, ProductUpdate]]
) -> None:
    taxonomy = Taxonomy.load()
    products = large.truth().products
    misread = Counter[str]()
    for packet, update in updates:
        if packet.kind is not PacketKind.UPSERT:
            continue
        read, product = by_rules(update, taxonomy), products[packet.key]
        garment = product.garment
        expected = {
            "department": garment.department if product.category_stated else None,
            "category": garment.type if product.category_stated else None,
            "colour": garment.colour if product.colour_stated else None,
            "pattern": garment.pattern if product.pattern_stated else None,
            "gender": product.gender,
        }
        for name, value in expected.items():
            attribute = getattr(read, name)
            found = attribute.value if attribute else None
            if found != value:
                misread[f"{packet.vendor} {name}: {value} read as {found}, {update.title!r}"] += 1
        sizes = () if product.size is None else (product.size,)
        if read.sizes != sizes:
            misread[f"{packet.vendor} sizes: {sizes} read as {read.sizes}"] += 1
    assert not misread, misread.most_common(12)


def test_the_newest_prices_and_stocks_arrive_in_minor_units_and_pieces(
    large: World, updates: list[tuple[Packet, ProductUpdate]]
) -> None:
    prices: dict[str, tuple[int, ProductUpdate]] = {}
    stocks: dict[str, tuple[int, ProductUpdate]] = {}
    for packet, update in updates:
        stated = update.model_fields_set
        for name, newest in (("price", prices), ("stock", stocks)):
            if name in stated and newest.get(packet.key, (-1, None))[0] < packet.version:
                newest[packet.key] = (packet.version, update)
    for key, product in large.truth().live().items():
        price = prices[key][1].price
        assert price is not None
        assert (price.amount_minor, price.currency) == (product.price_minor, product.currency)
        assert stocks[key][1].in_stock == product.in_stock


def test_pictures_market_brand_and_style_are_read(
    large: World, updates: list[tuple[Packet, ProductUpdate]]
) -> None:
    products = large.truth().products
    for packet, update in updates:
        if packet.kind is PacketKind.UPSERT:
            product = products[packet.key]
            assert update.market == product.market
            assert update.brand == product.brand
            assert f"{packet.vendor}:{update.style_id}" == product.style
            assert Path(update.image_urls[0]).suffix == ".jpg"


def test_packets_with_a_bad_price_or_vendor_do_not_map(large: World) -> None:
    mappings = load_mappings(_SETTINGS.catalog.mappings)
    reasons = Counter[str]()
    for record, known in zip(large.packet_records(), large.truth().packets, strict=True):
        if known.reason in ("bad price", "unknown vendor"):
            reasons[known.reason] += 1
            packet = Packet.model_validate_json(record.value)
            if known.reason == "unknown vendor":
                assert packet.vendor not in mappings
            else:
                with pytest.raises(InvalidUpdate):
                    map_packet(packet, mappings[packet.vendor])
        elif known.reason is not None and known.reason.startswith("picture"):
            packet = Packet.model_validate_json(record.value)
            map_packet(packet, mappings[packet.vendor])
    assert reasons.keys() == {"unknown vendor", "bad price"}
