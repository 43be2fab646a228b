"""Heat maps: where windows are laid, what they cover, and how their patches are averaged."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from operators.matching.crops import Frame, Square
from operators.matching.heat import (
    GRID,
    heat_map,
    overlay,
    softmax,
    windows,
    zoomed_heat_map,
)
from operators.ports import Vector
from schemas.looks import Region
from tests.matching.painted import PaintEncoder, painting

RED = (200, 0, 0)


class TwoPaints(PaintEncoder):
    """Red is the first of two directions, everything else the second; 4 x 4 patches."""

    async def encode_patches(self, image: Image.Image) -> NDArray[np.float32]:
        middles = (np.arange(4) + 0.5) / 4
        return np.stack(
            [np.stack([self._direction(image, x, y) for x in middles]) for y in middles]
        )

    def _direction(self, image: Image.Image, x: float, y: float) -> Vector:
        red = image.getpixel((int(x * image.width), int(y * image.height))) == RED
        return np.array([red, not red], dtype=np.float32)


CLASSES = np.eye(2, dtype=np.float32)


def patches(values: list[list[float]]) -> NDArray[np.float64]:
    """Probabilities of one class, a row of values per row of patches."""
    return np.array(values)[..., None]


def test_patches_are_interpolated_between_their_centres() -> None:
    frame, square = Frame(0, 0, 96, 96), Square(0, 0, 96)
    (heat,) = overlay(frame, [square], [patches([[0, 1], [0, 1]])])
    centres = np.arange(96) + 0.5
    assert heat.shape == (GRID, GRID)
    np.testing.assert_allclose(heat[0], np.clip((centres - 24) / 48, 0, 1))
    assert (heat == heat[0]).all()
    (turned,) = overlay(frame, [square], [patches([[0, 0], [1, 1]])])
    np.testing.assert_allclose(turned, heat.T)


def test_only_covered_cells_have_values_and_overlaps_their_mean() -> None:
    squares = [Square(24, 48, 24), Square(36, 48, 24)]
    (heat,) = overlay(Frame(0, 0, 96, 96), squares, [patches([[0.25]]), patches([[0.75]])])
    expected = np.zeros((96, 96))
    expected[48:72, 24:36] = 0.25
    expected[48:72, 36:48] = 0.5
    expected[48:72, 48:60] = 0.75
    np.testing.assert_allclose(heat, expected)


@pytest.mark.parametrize(
    ("width", "height", "shape"),
    [(192, 96, (48, 96)), (96, 192, (96, 48)), (500, 1, (1, 96)), (48, 48, (96, 96))],
)
def test_the_longer_side_has_as_many_cells_as_the_grid(
    width: int, height: int, shape: tuple[int, int]
) -> None:
    frame = Frame(10, 20, width, height)
    square = Square(10, 20, max(width, height))
    heat = overlay(frame, [square], [patches([[1.0]])])
    assert heat.shape == (1, *shape)
    assert (heat == 1).all()


async def test_every_cell_of_a_picture_has_probabilities() -> None:
    heat = await heat_map(painting(size=(80, 120)), TwoPaints(), CLASSES, 1.0)
    assert heat.shape == (2, 96, 64)
    likely = 1 / (1 + np.exp(-1))
    np.testing.assert_allclose(heat[1], likely)
    np.testing.assert_allclose(heat[0], 1 - likely)


async def test_the_class_of_each_half_is_the_most_likely_there() -> None:
    picture = painting((RED, (0, 0, 40, 120)), size=(80, 120))
    red, other = await heat_map(picture, TwoPaints(), CLASSES, 20.0)
    assert (red > other)[:, :26].all()
    assert (red < other)[:, 38:].all()


async def test_windows_around_a_region_are_shifted_along_the_diagonal() -> None:
    """A region of 50 of 100 pixels: squares of 65 that begin at 17.5, 3.75 before and after."""
    region = Region(x0=0.25, y0=0.25, x1=0.75, y1=0.75)
    frame, heat = await zoomed_heat_map(
        painting(size=(100, 100)), region, TwoPaints(), CLASSES, 1.0
    )
    assert (frame.x, frame.y, frame.width, frame.height) == pytest.approx(
        (13.75, 13.75, 72.5, 72.5)
    )
    centres = 13.75 + (np.arange(96) + 0.5) * 72.5 / 96
    covered = np.zeros((96, 96), dtype=bool)
    for start in (13.75, 17.5, 21.25):
        inside = (centres >= start) & (centres < start + 65)
        covered |= np.outer(inside, inside)
    np.testing.assert_allclose(heat.sum(axis=0), covered)


def test_a_region_of_a_frame_is_a_region_of_the_picture() -> None:
    frame = Frame(20, -10, 40, 40)
    found = frame.region(Region(x0=0.25, y0=0.5, x1=0.75, y1=0.75), 100, 50)
    assert (found.x0, found.y0, found.x1, found.y1) == pytest.approx((0.3, 0.2, 0.5, 0.4))


def test_a_region_at_the_edge_of_the_picture_keeps_a_size() -> None:
    whole = Region(x0=0, y0=0, x1=1, y1=1)
    inside = Frame(-50, -50, 200, 200).region(whole, 100, 100)
    assert (inside.x0, inside.y0, inside.x1, inside.y1) == (0, 0, 1, 1)
    after = Frame(200, 200, 50, 50).region(whole, 100, 100)
    assert (after.x0, after.y0, after.x1, after.y1) == (0.999, 0.999, 1, 1)
    before = Frame(-200, -200, 50, 50).region(whole, 100, 100)
    assert (before.x0, before.y0, before.x1, before.y1) == (0, 0, 0.001, 0.001)


def test_windows_overlap_by_half() -> None:
    whole, half = windows(90, 60)
    assert whole == [Square(0, 0, 60), Square(30, 0, 60)]
    assert [(s.x, s.y) for s in half[:5]] == [(0, 0), (15, 0), (30, 0), (45, 0), (60, 0)]
    assert {s.y for s in half} == {0, 15, 30}
    assert {s.side for s in half} == {30}


def test_the_windows_of_a_narrow_picture_are_a_third_of_its_length() -> None:
    whole, half = windows(10, 300)
    assert whole == [Square(-45, y, 100) for y in (0, 50, 100, 150, 200)]
    assert {(s.x, s.side) for s in half} == {(-20, 50)}
    assert len(half) == 11


def test_probabilities_sum_to_one_and_follow_the_logits() -> None:
    logits = np.array([[0.0, np.log(3)], [5000.0, 5000.0]], dtype=np.float32)
    np.testing.assert_allclose(softmax(logits), [[0.25, 0.75], [0.5, 0.5]], atol=1e-7)
