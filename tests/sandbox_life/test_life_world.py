import json
from collections import Counter
from pathlib import Path

from PIL import Image

from sandbox.life import Truth, World, draw_world, open_world
from sandbox.life.truth import EMBEDDING_FATES


def test_the_same_seed_gives_the_same_world(tmp_path: Path) -> None:
    def draw() -> dict[str, bytes]:
        draw_world(tmp_path, seed=3, products=30, looks=2, pictured=10)
        return {str(p): p.read_bytes() for p in sorted(tmp_path.rglob("*")) if p.is_file()}

    assert draw() == draw()


def test_another_seed_gives_another_world(tmp_path: Path, world: World) -> None:
    one = draw_world(tmp_path / "one", seed=3, products=20, looks=1, pictured=5)
    two = draw_world(tmp_path / "two", seed=4, products=20, looks=1, pictured=5)
    garments = [[p.garment for p in w.truth().products.values()] for w in (one, two)]
    assert garments[0] != garments[1]


def test_more_looks_do_not_change_the_catalog(tmp_path: Path) -> None:
    few = draw_world(tmp_path / "world", seed=3, products=20, looks=1, pictured=5)
    packets = [record.value for record in few.packet_records()]
    many = draw_world(tmp_path / "world", seed=3, products=20, looks=3, pictured=5)
    assert [record.value for record in many.packet_records()] == packets


def test_a_world_is_opened_again(world: World) -> None:
    assert open_world(world.folder) == world


def test_it_has_the_products_and_looks_asked_for(world: World, truth: Truth) -> None:
    assert len(truth.products) == world.products == 240
    assert len(truth.looks) == world.looks == 16
    assert len(truth.packets) == world.packets == sum(1 for _ in world.packet_records())
    ids = [record.key for record in world.look_event_records()]
    assert len(ids) == world.look_records > len(set(ids)) == 16


def test_everything_that_happens_to_a_catalog_happens(truth: Truth) -> None:
    fates = Counter(packet.fate for packet in truth.packets)
    assert fates.keys() >= {
        "created", "re-embedded", "updated", "deleted", "stale", "unchanged", "dead"
    }  # fmt: skip
    assert 0.02 <= fates["dead"] / len(truth.packets) <= 0.05
    assert truth.embeddings_at_most == sum(fates[fate] for fate in EMBEDDING_FATES)
    assert 0 < truth.embeddings_at_least <= truth.embeddings_at_most


def test_every_picture_named_by_the_truth_is_there(world: World, truth: Truth) -> None:
    for product in truth.products.values():
        with Image.open(world.pictures / product.picture_file) as picture:
            assert picture.size == (256, 256)
    for look in truth.looks:
        with Image.open(world.look_pictures / look.picture_file) as picture:
            assert picture.size == (256, 384)


def test_one_content_is_one_picture(world: World, truth: Truth) -> None:
    files: dict[str, set[bytes]] = {}
    for product in truth.products.values():
        bytes_of = (world.pictures / product.picture_file).read_bytes()
        files.setdefault(product.picture, set()).add(bytes_of)
    assert all(len(different) == 1 for different in files.values())
    assert len({next(iter(one)) for one in files.values()}) == len(files)


def test_vendors_sell_in_their_own_market(truth: Truth) -> None:
    seen = {(p.key.split(":")[0], p.market, p.currency) for p in truth.products.values()}
    assert seen == {
        ("zari", "IN", "INR"),
        ("northfold", "US", "USD"),
        ("kisetsu", "JP", "JPY"),
    }


def test_no_vendor_sells_a_withheld_type(truth: Truth) -> None:
    sold = {product.garment.type for product in truth.products.values()}
    assert len(truth.withheld) == 4
    assert not sold & set(truth.withheld)


def test_well_formed_packets_carry_the_key_of_their_record(world: World, truth: Truth) -> None:
    for record, known in zip(world.packet_records(), truth.packets, strict=True):
        assert record.key == known.key
        if known.fate not in ("dead", "pending"):
            packet = json.loads(record.value)
            assert record.key == f"{packet['vendor']}:{packet['product_id']}"
