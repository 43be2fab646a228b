"""Dark pictures are brightened; others, and dark clothes in good light, stay as they are."""

from __future__ import annotations

import random

import numpy as np
import pytest
from PIL import Image

from operators.matching.light import MOST, level_light
from sandbox.world import Garment, draw_look, sample_outfit

SCENE = draw_look(sample_outfit(random.Random(3)), random.Random(3)).picture


def darkened(picture: Image.Image, factor: float) -> Image.Image:
    return picture.point([round(value * factor) for value in range(256)] * 3)


def distance(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one, float) - np.asarray(other, float)).mean())


def test_a_well_lit_picture_is_the_same_object() -> None:
    assert level_light(SCENE) is SCENE


@pytest.mark.parametrize("factor", [0.7, 0.6, 0.4])
def test_a_dark_picture_comes_close_to_the_well_lit_one(factor: float) -> None:
    dark = darkened(SCENE, factor)
    assert distance(level_light(dark), SCENE) < distance(dark, SCENE) / 3


def test_a_large_dark_picture_is_brightened_as_a_small_one_is() -> None:
    dark = darkened(SCENE, 0.5)
    large = level_light(dark.resize((dark.width * 4, dark.height * 4), Image.Resampling.NEAREST))
    assert distance(large.resize(dark.size, Image.Resampling.NEAREST), level_light(dark)) < 3


def test_hues_stay() -> None:
    levelled = level_light(Image.new("RGB", (20, 20), (80, 40, 20)))
    assert levelled.getpixel((5, 5)) == (235, 118, 59)


def test_the_gain_is_bounded() -> None:
    black = Image.new("RGB", (20, 20), (4, 4, 4))
    assert level_light(black).getpixel((5, 5)) == (round(4 * MOST),) * 3


@pytest.mark.parametrize("colour", ["black", "white"])
def test_black_and_white_clothes_in_good_light_stay(colour: str) -> None:
    rng = random.Random(5)
    outfit = {
        "top": Garment("top", "shirt", colour, "solid", sleeve="long sleeve"),
        "bottom": Garment("bottom", "trousers", colour, "solid"),
    }
    picture = draw_look(outfit, rng).picture
    assert level_light(picture) is picture
