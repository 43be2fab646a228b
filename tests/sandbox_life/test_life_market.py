"""A market that goes on: what happens, its memory, and that the catalog rules accept it."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sandbox.life import Happening, Market, World, draw_world, open_world
from schemas.catalog import Packet
from schemas.looks import Look
from schemas.records import Record

START = datetime(2026, 11, 29, tzinfo=UTC)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder: Path = tmp_path_factory.mktemp("market")
    return draw_world(folder, seed=5, products=80, looks=3)


@pytest.fixture
def small(drawn: World) -> World:
    """A world whose market has not gone on."""
    (drawn.folder / "market.json").unlink(missing_ok=True)
    return drawn


def live(world: World, steps: int, start: datetime = START) -> list[Happening]:
    market, happened = Market(world), list[Happening]()
    for number in range(steps):
        market.happen(start + timedelta(seconds=number), happened.append)
    return happened


def without_times(happened: list[Happening]) -> list[object]:
    """What happened, without versions and times."""

    def content(record: Record) -> dict[str, object]:
        known: dict[str, object] = json.loads(record.value)
        return {k: v for k, v in known.items() if k not in ("version", "created_at")}

    return [(one.what, one.names, list(map(content, one.records))) for one in happened]


def test_everything_that_is_to_happen_happens(small: World) -> None:
    happened = {one.what for one in live(small, 60)}
    assert happened == {"new look", "new product", "price", "sold out", "restocked"}


def test_a_world_has_one_future(small: World) -> None:
    first = without_times(live(small, 30))
    (small.folder / "market.json").unlink()
    assert without_times(live(small, 30, START + timedelta(days=3))) == first


def test_a_market_that_is_opened_again_goes_on(small: World) -> None:
    whole = without_times(live(small, 40))
    (small.folder / "market.json").unlink()
    assert without_times([*live(small, 15), *live(small, 25)]) == whole


def test_what_was_published_but_not_noted_happens_again(small: World) -> None:
    def die(_: Happening) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Market(small).happen(START, die)
    again = without_times(live(small, 1))
    (small.folder / "market.json").unlink()
    assert again == without_times(live(small, 1))


def test_records_are_valid_and_newer_than_all_before(small: World) -> None:
    versions = {key: product.version for key, product in small.truth().products.items()}
    for one in live(small, 60):
        for record in one.records:
            if one.what == "new look":
                assert Look.model_validate_json(record.value).look_id == record.key
                continue
            packet = Packet.model_validate_json(record.value)
            assert record.key == f"{packet.vendor}:{packet.product_id}"
            assert packet.version > versions.get(record.key, 0)
            versions[record.key] = packet.version


def test_new_products_have_keys_and_pictures_of_their_own(small: World) -> None:
    known = set(small.truth().products)
    new = [one for one in live(small, 60) if one.what == "new product"]
    names = [name for one in new for name in one.names]
    assert new
    assert len(set(names)) == len(names)
    assert not known & set(names)
    pictures = small.pictures.as_uri()
    for one in new:
        text = one.records[0].value.decode()
        name = text.split(f"{pictures}/")[1].split('"')[0]
        assert (small.pictures / name).exists()


def test_new_looks_have_a_picture(small: World) -> None:
    looks = [one.names[0] for one in live(small, 30) if one.what == "new look"]
    assert looks == [f"look-{number:05d}" for number in range(3, 3 + len(looks))]
    assert all((small.look_pictures / f"{look}.jpg").exists() for look in looks)


def test_a_world_that_is_drawn_again_begins_anew(small: World, tmp_path: Path) -> None:
    folder = tmp_path / "world"
    shutil.copytree(small.folder, folder)
    live(open_world(folder), 2)
    assert open_world(folder).lives_on
    assert not draw_world(folder, seed=5, products=20, looks=1, pictured=5).lives_on
