"""The second world: determinism, near-duplicates, wrong values, filters that exclude."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from operators.vocabulary.taxonomy import Taxonomy
from sandbox.second_world import FAMILY, KINDS, Product, SecondWorld, second_world
from sandbox.second_world.photograph import draw_product
from sandbox.second_world.styles import (
    BUTTONS,
    HEMS,
    MOTIFS,
    PATTERNS,
    Style,
    near_duplicate,
    sample_style,
)

SMALL = (64, 80)


@pytest.fixture(scope="module")
def world() -> SecondWorld:
    return second_world(seed=5, products=3000, looks=400)


def pixels(style: Style, seed: int = 0) -> NDArray[np.int16]:
    return np.asarray(draw_product(style, seed, SMALL), np.int16)


def families(world: SecondWorld) -> dict[int, list[Product]]:
    found: dict[int, list[Product]] = {}
    for product in world.products:
        found.setdefault(product.family, []).append(product)
    return found


def style_of(category: str) -> Style:
    department = next(name for name, kinds in KINDS.items() if category in kinds)
    rng = random.Random(category)
    while True:
        style = sample_style(department, rng)
        if style.category == category:
            return style


CATEGORIES = [category for kinds in KINDS.values() for category in kinds]


def test_a_seed_draws_the_same_world() -> None:
    first, again = (second_world(seed=3, products=110, looks=2) for _ in range(2))
    assert first == again
    assert first.picture_of(first.products[7]).tobytes() == (
        again.picture_of(again.products[7]).tobytes()
    )
    one, two = first.drawn(first.looks[0]), again.drawn(again.looks[0])
    assert (one.picture.tobytes(), one.boxes) == (two.picture.tobytes(), two.boxes)


def test_another_seed_draws_another_world() -> None:
    first, other = (second_world(seed=seed, products=110, looks=2) for seed in (3, 4))
    assert first.products != other.products
    assert first.looks != other.looks


def test_the_catalog_has_as_many_products_as_asked_for(world: SecondWorld) -> None:
    large = second_world(seed=5, products=30_000, looks=0)
    for drawn, products in ((world, 3000), (large, 30_000)):
        assert len({product.key for product in drawn.products}) == products


def test_the_words_are_those_of_the_taxonomy(world: SecondWorld) -> None:
    taxonomy = Taxonomy.load()
    for department, kinds in KINDS.items():
        assert {taxonomy.categories[kind].department for kind in kinds} == {department}
    assert set(PATTERNS) <= taxonomy.patterns.keys()
    assert {product.style.colour for product in world.products} <= taxonomy.colours.keys()


def test_each_product_has_ten_near_duplicates_of_its_attributes(world: SecondWorld) -> None:
    *whole, last = families(world).values()
    assert {len(family) for family in whole} == {FAMILY}
    for family in (*whole, last):
        assert len({one.style.attributes for one in family}) == 1
        assert len({one.style.details for one in family}) == len(family)


def test_keys_do_not_tell_which_product_is_worn(world: SecondWorld) -> None:
    worn = {product.key for look in world.looks for product in look.worn.values()}
    first = [min(one.key for one in family) in worn for family in families(world).values()]
    assert sum(first) / len(first) < 0.6


@pytest.mark.parametrize("category", CATEGORIES)
def test_each_category_shows_its_hidden_details(category: str) -> None:
    style = style_of(category)
    rng = random.Random(1)
    drawn = pixels(style)
    for other in (near_duplicate(style, rng) for _ in range(4)):
        changed = np.abs(pixels(other) - drawn).max(axis=2) > 12
        assert changed.mean() > 0.001


def test_each_single_detail_of_a_shirt_can_be_seen() -> None:
    style = style_of("shirt")
    plain = replace(style, pattern="solid", details=replace(style.details, motif=0, hem=0))
    changed = [
        *(replace(plain.details, motif=motif) for motif in range(1, MOTIFS)),
        *(replace(plain.details, hem=hem) for hem in range(1, HEMS)),
        *(replace(plain.details, buttons=n) for n in BUTTONS if n != plain.details.buttons),
        replace(plain.details, pocket=not plain.details.pocket),
    ]
    drawn = pixels(plain)
    for details in changed:
        assert np.abs(pixels(replace(plain, details=details)) - drawn).max() > 20, details


def test_shades_of_one_name_vary(world: SecondWorld) -> None:
    reds = {one.style.shade for one in world.products if one.style.colour == "red"}
    assert len(reds) >= 10


def test_a_twentieth_of_the_vendors_values_is_wrong(world: SecondWorld) -> None:
    wrong = [product for product in world.products if product.stated_wrongly]
    assert 0.035 < len(wrong) / len(world.products) < 0.065
    for product in wrong:
        assert product.stated_category in KINDS[product.style.department]
        as_stated = (product.stated_category, product.stated_colour)
        true = (product.style.category, product.style.colour)
        assert sum(a != b for a, b in zip(as_stated, true, strict=True)) == 1


def test_filters_exclude_a_tenth_of_the_products_worn(world: SecondWorld) -> None:
    layers = sum(len(look.worn) for look in world.looks)
    excluded = sum(len(look.excluded) for look in world.looks)
    assert 0.075 < excluded / layers < 0.125


def test_excluded_products_fail_a_filter_and_others_of_their_family_pass(
    world: SecondWorld,
) -> None:
    known = families(world)
    for look in world.looks:
        for department, product in look.worn.items():
            size = look.sizes.get(department)
            low, high = look.min_price_minor, look.max_price_minor
            fails = (
                (size is not None and size not in product.sizes)
                or (low is not None and product.price_minor < low)
                or (high is not None and product.price_minor > high)
            )
            assert fails == (department in look.excluded)
            if fails:
                assert any(look.admits(one) for one in known[product.family])


def test_looks_wear_what_is_sold_to_them(world: SecondWorld) -> None:
    for look in world.looks:
        for department, product in look.worn.items():
            assert product.style.department == department
            assert product.market == look.market
            assert product.gender in (look.gender, "unisex")


def test_what_is_worn_is_seen_where_the_boxes_say() -> None:
    world = second_world(seed=8, products=330, looks=3)
    for look in world.looks:
        drawn = world.drawn(look)
        assert drawn.boxes.keys() <= look.worn.keys()
        assert {"footwear"} & look.worn.keys() <= drawn.boxes.keys()
        for x0, y0, x1, y1 in drawn.boxes.values():
            assert 0 <= x0 < x1 <= 1
            assert 0 <= y0 < y1 <= 1
        if "footwear" in drawn.boxes and "headwear" in drawn.boxes:
            assert drawn.boxes["footwear"][1] > drawn.boxes["headwear"][3]


def test_a_picture_shows_its_colour() -> None:
    style = replace(style_of("sweater"), pattern="solid", shade=(0.8, 0.1, 0.1))
    picture = draw_product(style, 0, SMALL)
    red, green, blue = picture.resize((1, 1), Image.Resampling.BOX, (22, 30, 42, 50)).getpixel(
        (0, 0)
    )  # type: ignore[misc]
    assert red > 2 * green
    assert red > 2 * blue
