from collections import defaultdict
from itertools import pairwise

from pydantic import ValidationError

from sandbox.life import Truth, World, admissible, is_true
from schemas.catalog import Packet, PacketKind
from schemas.looks import Look


def _packets(world: World, truth: Truth) -> dict[str, list[Packet]]:
    """Per product the packets that are well, in no particular order."""
    packets = defaultdict(list)
    for record, known in zip(world.packet_records(), truth.packets, strict=True):
        if known.fate not in ("dead", "pending"):
            packets[record.key].append(Packet.model_validate_json(record.value))
    return packets


def test_a_product_lives_when_its_newest_upsert_is_newer_than_its_delete(
    world: World, truth: Truth
) -> None:
    for key, packets in _packets(world, truth).items():
        upserted = max(p.version for p in packets if p.kind is PacketKind.UPSERT)
        deleted = max([p.version for p in packets if p.kind is PacketKind.DELETE], default=-1)
        product = truth.products[key]
        assert product.live == (upserted > deleted)
        if product.live:
            assert product.version == upserted


def test_the_newest_word_on_a_price_is_the_truth(world: World, truth: Truth) -> None:
    for key, packets in _packets(world, truth).items():
        if not key.startswith("zari:") or not truth.products[key].live:
            continue
        stated = [p for p in packets if "daam" in p.payload]
        newest = max(stated, key=lambda packet: packet.version).payload["daam"]
        rupees = newest.removeprefix("Rs. ").replace(",", "").removesuffix(".00")
        assert int(rupees) * 100 == truth.products[key].price_minor


def test_some_changes_are_sent_as_patches_and_some_come_out_of_order(
    world: World, truth: Truth
) -> None:
    packets = _packets(world, truth).values()
    assert any(p.kind is PacketKind.PATCH for some in packets for p in some)
    assert any(
        earlier.version > later.version for some in packets for earlier, later in pairwise(some)
    )


def test_records_that_break_by_their_form_are_no_packets(world: World, truth: Truth) -> None:
    broken_later = {"bad price", "unknown vendor"}
    for record, known in zip(world.packet_records(), truth.packets, strict=True):
        if known.reason is None or known.reason.startswith("picture"):
            continue
        try:
            Packet.model_validate_json(record.value)
        except ValidationError:
            assert known.reason not in broken_later
        else:
            assert known.reason in broken_later


def test_true_products_are_what_the_look_shows_and_admits(world: World, truth: Truth) -> None:
    looks = {
        record.key: Look.model_validate_json(record.value) for record in world.look_event_records()
    }
    for known in truth.looks:
        look = looks[known.look_id]
        for layer in known.layers.values():
            seen = layer.garment.garment()
            expected = {
                product.key
                for product in truth.products.values()
                if admissible(product, look) and is_true(product, seen)
            }
            assert set(layer.products) == expected


def test_only_exact_layers_have_true_products(truth: Truth) -> None:
    layers = [layer for look in truth.looks for layer in look.layers.values()]
    assert {layer.kind for layer in layers} == {"exact", "near", "absent"}
    for layer in layers:
        assert bool(layer.products) == (layer.kind == "exact")


def test_a_near_layer_is_one_attribute_away_from_a_product(world: World, truth: Truth) -> None:
    looks = {
        record.key: Look.model_validate_json(record.value) for record in world.look_event_records()
    }

    def differences(seen: dict[str, str | None], sold: dict[str, str | None]) -> int:
        return sum(value is not None and value != sold[name] for name, value in seen.items())

    for known in truth.looks:
        for layer in known.layers.values():
            if layer.kind == "near":
                seen = layer.garment.model_dump()
                nearest = min(
                    differences(seen, product.garment.model_dump())
                    for product in truth.products.values()
                    if admissible(product, looks[known.look_id])
                )
                assert nearest == 1


def test_boxes_lie_in_the_picture(truth: Truth) -> None:
    for look in truth.looks:
        for layer in look.layers.values():
            x0, y0, x1, y1 = layer.box
            assert 0 <= x0 < x1 <= 1
            assert 0 <= y0 < y1 <= 1
