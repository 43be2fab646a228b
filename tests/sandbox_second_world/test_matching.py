"""The second world is indexed as its vendors state it, and its looks are judged by the truth."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from PIL.Image import Image

from evaluation.sandbox.second_world import index_second_world, match_second_world
from evaluation.sandbox.second_world_report import SecondWorldLayer, second_world_report
from operators.budget import Budget
from operators.matching.calibration import Calibration
from operators.matching.parts import MatchParts
from operators.matching.tagger import Tagger
from operators.picture import Picture
from operators.ports import LayerDescription
from sandbox.second_world import KINDS, SecondWorld, second_world
from schemas.attributes import Department
from schemas.looks import Region
from schemas.rerank import RerankMethod
from schemas.settings import MatchingSettings
from tests.catalog.small_shop import Shop, taxonomy


class SeesEverything:
    """A vision-language model that claims each department to fill the picture."""

    fingerprint = "sees-everything"
    finds_layers = True

    async def describe(
        self, pictures: Sequence[Picture], budget: Budget
    ) -> dict[Department, LayerDescription]:
        whole = Region(x0=0, y0=0, x1=1, y1=1)
        return {Department(name): LayerDescription(name, {}, whole) for name in KINDS}

    async def rerank(
        self,
        method: RerankMethod,
        query: str,
        region: Image,
        candidates: Sequence[bytes],
        budget: Budget,
    ) -> list[float | None]:
        return [None for _ in candidates]


@pytest.fixture(scope="module")
def world() -> SecondWorld:
    return second_world(seed=59, products=88, looks=10)


@pytest.fixture(scope="module")
def shop(world: SecondWorld) -> Shop:
    """The world's products, with vectors that mean nothing."""
    shop = Shop()
    asyncio.run(index_second_world(world, shop.parts(), lambda: None))
    return shop


@pytest.fixture(scope="module")
def layers(world: SecondWorld, shop: Shop) -> list[SecondWorldLayer]:
    parts = MatchParts(
        pictures=shop.pictures,
        encoder=shop.encoder,
        index=shop.index,
        ledger=shop.ledger,
        segmenter=None,
        tagger=Tagger(shop.encoder, taxonomy()),
        calibration=Calibration(),
        thumbnails=shop.thumbnails,
        settings=MatchingSettings(rerank=RerankMethod.NONE, products_per_layer=100),
        vlm=SeesEverything(),
    )
    return asyncio.run(match_second_world(world, parts, lambda: None))


def test_products_are_indexed_as_their_vendors_state_them(world: SecondWorld, shop: Shop) -> None:
    async def check() -> None:
        for product in world.products:
            found, entry = await shop.index.get(product.key), await shop.ledger.read(product.key)
            assert found is not None
            assert entry is not None
            assert entry.attributes.category is not None
            assert entry.attributes.colour is not None
            stated = (product.stated_category, product.stated_colour)
            assert (found.attributes.category, found.attributes.colour) == stated
            assert (entry.attributes.category.value, entry.attributes.colour.value) == stated
            assert entry.update.price is not None
            assert entry.update.price.amount_minor == product.price_minor

    asyncio.run(check())
    assert any(product.stated_wrongly for product in world.products)


def test_excluded_products_are_never_shown_and_others_are(
    layers: list[SecondWorldLayer],
) -> None:
    figures = second_world_report(layers, ()).groups["all"]
    assert figures["excluded_shown"].n >= 3
    assert figures["excluded_shown"].value == 0
    assert figures["excluded_answered"].value == 1


def test_every_product_that_passes_is_shown(
    world: SecondWorld, layers: list[SecondWorldLayer]
) -> None:
    looks = {look.look_id: look for look in world.looks}
    for layer in layers:
        admitted = {
            product.key
            for product in world.products
            if product.style.department == layer.department and looks[layer.look_id].admits(product)
        }
        assert set(layer.ranked) == admitted


def test_layers_are_judged_by_what_is_worn(
    world: SecondWorld, layers: list[SecondWorldLayer]
) -> None:
    products = {product.key: product for product in world.products}
    looks = {look.look_id: look for look in world.looks}
    assert {(one.look_id, one.department) for one in layers} == {
        (look_id, department) for look_id in looks for department in KINDS
    }
    for layer in layers:
        worn = looks[layer.look_id].worn.get(layer.department)
        assert layer.worn in (None, worn and worn.key)
        if layer.worn is not None:
            style = products[layer.worn].style
            same = {one.key for one in world.products if one.style.attributes == style.attributes}
            assert layer.near_duplicates < same
            assert 0 < layer.overlap <= 1
            if layer.ranked:
                first = products[layer.ranked[0]].style
                assert all(layer.agrees) == (first.attributes == style.attributes)
