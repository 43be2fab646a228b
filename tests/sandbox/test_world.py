"""The sandbox world: attributes, descriptions and drawings agree."""

import random
from dataclasses import replace

import numpy as np
import pytest

from sandbox.world import (
    ATTRIBUTES,
    COLOURS,
    DEPARTMENTS,
    LABELS,
    PATTERNS,
    PLAIN_TYPES,
    TYPES,
    Garment,
    caption,
    describe,
    draw_look,
    draw_product,
    held_out,
    near_garment,
    phrase,
    same_visible,
    sample_garment,
    sample_outfit,
    visible,
)

SHIRT = Garment("top", "shirt", "red", "striped", "white", "short sleeve")
JACKET = Garment("outerwear", "jacket", "navy", "solid")


def differing(a: Garment, b: Garment) -> list[str]:
    return [name for name in ATTRIBUTES if getattr(a, name) != getattr(b, name)]


def test_the_world_has_eight_departments_many_types_and_twelve_colours() -> None:
    assert list(DEPARTMENTS) == [
        "headwear",
        "eyewear",
        "outerwear",
        "top",
        "dress",
        "bottom",
        "bag",
        "footwear",
    ]
    assert len(TYPES) == len(set(TYPES)) >= 24
    assert len(COLOURS) == 12
    assert len(PATTERNS) == 5


@pytest.mark.parametrize("kind", TYPES)
def test_a_second_colour_comes_with_a_pattern_and_only_then(kind: str) -> None:
    rng = random.Random(1)
    for garment in (sample_garment(rng, type=kind) for _ in range(60)):
        assert garment.type == kind
        assert (garment.second_colour is None) == (garment.pattern == "solid")
        assert garment.second_colour != garment.colour
        assert garment.pattern == "solid" or kind not in PLAIN_TYPES


def test_near_garments_differ_in_exactly_one_attribute_and_could_have_been_sampled() -> None:
    rng = random.Random(2)
    for _ in range(500):
        garment = sample_garment(rng)
        near = near_garment(garment, rng)
        assert len(differing(garment, near)) == 1
        assert near.department == garment.department
        assert near.type in DEPARTMENTS[near.department]


def test_near_garments_are_near_in_every_attribute_but_the_department() -> None:
    rng = random.Random(3)
    seen = set()
    for _ in range(800):
        garment = sample_garment(rng)
        seen.update(differing(garment, near_garment(garment, rng)))
    assert seen == set(ATTRIBUTES) - {"department"}


def test_the_canonical_query_names_every_attribute() -> None:
    tee = Garment("top", "t-shirt", "red", "striped", "white", "short sleeve", neckline="crew neck")
    assert describe(tee) == "red striped short sleeve crew neck t-shirt with white stripes"
    assert describe(JACKET) == "navy solid jacket"


def test_a_caption_states_only_what_it_claims() -> None:
    rng = random.Random(4)
    for _ in range(500):
        garment = sample_garment(rng)
        words, claims = phrase(garment, rng)
        assert words
        assert claims <= set(ATTRIBUTES)
        if "type" in claims:
            assert garment.type in words.lower()
        if "colour" not in claims:
            assert garment.colour not in words.lower()


def test_captions_vary() -> None:
    rng = random.Random(5)
    assert len({caption(SHIRT, rng) for _ in range(200)}) > 20


def test_one_patterned_combination_in_ten_is_held_out() -> None:
    rng = random.Random(6)
    patterned = [g for g in (sample_garment(rng) for _ in range(3000)) if g.pattern != "solid"]
    share = sum(held_out(garment) for garment in patterned) / len(patterned)
    assert 0.07 < share < 0.13
    assert not held_out(JACKET)


def test_outerwear_hides_the_sleeves_below_it() -> None:
    assert visible({"top": SHIRT}) == {"top": SHIRT}
    seen = visible({"top": SHIRT, "outerwear": JACKET})
    assert seen == {"top": replace(SHIRT, sleeve=None), "outerwear": JACKET}


def test_what_is_hidden_may_differ_and_nothing_else() -> None:
    seen = visible({"top": SHIRT, "outerwear": JACKET})["top"]
    assert same_visible(seen, SHIRT)
    assert same_visible(seen, replace(SHIRT, sleeve="long sleeve"))
    assert not same_visible(seen, replace(SHIRT, colour="blue"))
    assert not same_visible(SHIRT, replace(SHIRT, sleeve="long sleeve"))


def test_outfits_have_three_to_five_layers_that_go_together() -> None:
    rng = random.Random(7)
    sizes = set()
    for _ in range(200):
        outfit = sample_outfit(rng)
        sizes.add(len(outfit))
        assert all(name == garment.department for name, garment in outfit.items())
        assert "footwear" in outfit
        assert ("dress" in outfit) != ("top" in outfit and "bottom" in outfit)
    assert sizes == {3, 4, 5}


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_can_be_photographed(kind: str) -> None:
    garment = sample_garment(random.Random(8), type=kind)
    picture = draw_product(garment, random.Random(9), 96)
    assert picture.size == (96, 96)
    assert picture.mode == "RGB"
    assert np.asarray(picture).std() > 8


def test_a_seed_gives_the_same_photograph_and_another_seed_another_view() -> None:
    one, again, other = (np.asarray(draw_product(SHIRT, random.Random(s), 96)) for s in (1, 1, 2))
    assert (one == again).all()
    assert (one != other).any()


def test_a_seed_gives_the_same_look() -> None:
    def drawn() -> tuple[bytes, object, bytes]:
        rng = random.Random(11)
        look = draw_look(sample_outfit(rng), rng, (128, 192))
        return look.picture.tobytes(), look.boxes, look.labels.tobytes()

    assert drawn() == drawn()


def test_boxes_lie_inside_the_picture_around_what_the_labels_show() -> None:
    rng = random.Random(12)
    for _ in range(10):
        outfit = sample_outfit(rng)
        look = draw_look(outfit, rng, (128, 192))
        assert look.picture.size == (128, 192)
        assert look.labels.shape == (48, 32)
        assert set(look.boxes) == set(outfit)
        for name, (x0, y0, x1, y1) in look.boxes.items():
            assert 0 <= x0 < x1 <= 128
            assert 0 <= y0 < y1 <= 192
            ys, xs = np.nonzero(look.labels == LABELS.index(name))
            assert len(ys)
            assert x0 - 4 <= 4 * xs.min() <= 4 * xs.max() <= x1 + 4
            assert y0 - 4 <= 4 * ys.min() <= 4 * ys.max() <= y1 + 4


def test_a_look_is_never_a_pixel_copy_of_a_photograph() -> None:
    """No 16 x 16 piece of the photographed cloth reappears in the look that wears it."""
    rng = random.Random(13)
    outfit = {"top": SHIRT, "bottom": sample_garment(rng, type="skirt")}
    outfit["footwear"] = sample_garment(rng, type="boots")
    look = np.asarray(draw_look(outfit, rng).picture)
    photo = np.asarray(draw_product(SHIRT, rng))
    side = 16
    windows = np.lib.stride_tricks.sliding_window_view(look, (side, side, 3))
    pieces = windows[:, :, 0]
    for y, x in ((112, 112), (128, 120), (120, 136), (140, 128)):
        piece = photo[y : y + side, x : x + side]
        rough = (pieces[:, :, 0, 0] == piece[0, 0]).all(-1)
        candidates = pieces[rough]
        assert not (candidates == piece).all((1, 2, 3)).any()
