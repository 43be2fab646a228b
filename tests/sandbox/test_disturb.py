"""Disturbed training pictures stay pictures, and other cloth keeps the names of its colours."""

from __future__ import annotations

import math
import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sandbox.training.clip.disturb import PERIODS, disturb, other_cloth
from sandbox.world import COLOURS
from sandbox.world.garments import lab

PICTURE = np.random.default_rng(1).integers(0, 256, (112, 112, 3), np.uint8)


@given(seed=st.integers(0, 10_000))
def test_a_disturbed_picture_keeps_its_form_and_depends_on_the_seed_alone(seed: int) -> None:
    before = PICTURE.copy()
    disturbed = disturb(PICTURE, random.Random(seed))
    assert (disturbed.shape, disturbed.dtype) == (PICTURE.shape, PICTURE.dtype)
    assert np.array_equal(disturb(PICTURE, random.Random(seed)), disturbed)
    assert np.array_equal(before, PICTURE)


def test_some_pictures_stay_as_they_are_and_most_do_not() -> None:
    rng = random.Random(2)
    same = sum(np.array_equal(disturb(PICTURE, rng), PICTURE) for _ in range(300))
    assert 100 < same < 200


@given(seed=st.integers(0, 1000))
def test_shades_are_nearest_to_the_colour_of_their_name(seed: int) -> None:
    cloth = other_cloth(random.Random(seed))
    assert cloth.palette.keys() == COLOURS.keys()
    for name, shade in cloth.palette.items():
        nearest = min(COLOURS, key=lambda other: math.dist(lab(COLOURS[other]), lab(shade)))
        assert nearest == name
    assert cloth.period == 1 or PERIODS[0] <= cloth.period <= PERIODS[1]
