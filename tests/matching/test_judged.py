"""A catalog that judges itself: what is hidden, what counts as the item or its kind."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from operators.matching.judged import JudgedLayer, Sold, judge_catalog, see_differently
from operators.matching.parts import MatchParts
from operators.ports import IndexedAttributes, VectorStore
from tests.matching.painted import RED_SHIRT, add_product, painting

TOPS = 9


@pytest.fixture
async def tops(empty_shop: MatchParts) -> MatchParts:
    """Nine tops, a third of each category, all with a picture of the red shirt."""
    for number in range(TOPS):
        category = ("shirt", "blouse", "t-shirt")[number % 3]
        key = f"a:{category}-{number}"
        words = f"red top striped {category} number{number}"
        await add_product(empty_shop.index, empty_shop.ledger, key, words)
        picture = painting((RED_SHIRT, (0, 0, 80, 120)))
        await empty_shop.thumbnails.put(key, picture)
    return replace(
        empty_shop, settings=empty_shop.settings.model_copy(update={"duplicate_similarity": 0.999})
    )


def of(sold: Sold, layers: list[JudgedLayer]) -> list[JudgedLayer]:
    return [layer for layer in layers if layer.sold is sold]


async def test_each_kind_of_layer_hides_what_it_says(tops: MatchParts) -> None:
    layers = await judge_catalog(tops, TOPS, seed=1)
    assert len(layers) == TOPS
    for layer in of(Sold.ITEM, layers):
        assert sum(one.same_item for one in layer.products) == 1
        assert sum(one.same_kind for one in layer.products) == 3
    for layer in of(Sold.KIND, layers):
        assert not any(one.same_item for one in layer.products)
        assert sum(one.same_kind for one in layer.products) == 2
    for layer in of(Sold.NEITHER, layers):
        assert layer.products
        assert not any(one.same_kind for one in layer.products)


async def test_features_are_those_of_a_look(tops: MatchParts) -> None:
    layers = await judge_catalog(tops, TOPS, seed=1)
    names = {name for layer in layers for one in layer.products for name in one.features}
    assert {"region", "margin", "category", "product_gap"} <= names


async def test_products_without_a_picture_are_left_out(tops: MatchParts) -> None:
    await tops.thumbnails.delete("a:shirt-0")
    assert len(await judge_catalog(tops, TOPS, seed=1)) == TOPS - 1


async def test_no_more_products_are_judged_than_asked_for(tops: MatchParts) -> None:
    assert len(await judge_catalog(tops, 4, seed=1)) == 4


async def test_the_same_products_are_drawn_whatever_the_order_of_the_index(
    tops: MatchParts,
) -> None:
    class Reversed:
        def __getattr__(self, name: str) -> object:
            return getattr(tops.index, name)

        async def scan(self) -> AsyncIterator[tuple[str, IndexedAttributes]]:
            for row in reversed([row async for row in tops.index.scan()]):
                yield row

    reversed_tops = replace(tops, index=cast(VectorStore, Reversed()))
    for sample in (4, TOPS):
        expected = await judge_catalog(tops, sample, seed=1)
        assert await judge_catalog(reversed_tops, sample, seed=1) == expected


@given(width=st.integers(1, 400), height=st.integers(1, 400), seed=st.integers(0, 1000))
def test_a_picture_of_any_size_is_seen_differently(width: int, height: int, seed: int) -> None:
    seen = see_differently(Image.new("RGB", (width, height), "red"), random.Random(seed))
    assert 0 < seen.width <= width
    assert 0 < seen.height <= height
