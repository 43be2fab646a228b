"""Squares cut out of pictures, and vectors fused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from operators.matching.crops import MARGIN, Square, cut, square_around
from operators.matching.vectorize import Mode, fuse
from schemas.looks import Region

pixels = np.arange(30 * 20, dtype=np.uint8).reshape(30, 20)
PICTURE = Image.fromarray(np.stack([pixels] * 3, axis=-1))


def test_inside_the_picture_the_square_is_the_crop() -> None:
    assert cut(PICTURE, Square(3, 4, 5)).tobytes() == PICTURE.crop((3, 4, 8, 9)).tobytes()


def test_beyond_the_picture_its_edge_is_repeated() -> None:
    found = np.asarray(cut(PICTURE, Square(-2, 27, 6)))[..., 0]
    assert found.shape == (6, 6)
    assert (found[:, 0] == found[:, 2]).all()
    assert (found[3:] == found[2]).all()
    assert found[0, 2] == pixels[27, 0]


@given(st.floats(-60, 60), st.floats(-60, 60), st.floats(0, 70))
def test_each_pixel_is_the_nearest_of_the_picture(x: float, y: float, side: float) -> None:
    found = np.asarray(cut(PICTURE, Square(x, y, side)))[..., 0]
    columns = np.clip(int(np.floor(x)) + np.arange(len(found)), 0, 19)
    rows = np.clip(int(np.floor(y)) + np.arange(len(found)), 0, 29)
    assert (found == pixels[rows][:, columns]).all()


@given(
    x=st.floats(0, 0.9),
    y=st.floats(0, 0.9),
    width=st.floats(1e-6, 0.1),
    height=st.floats(1e-6, 0.1),
)
def test_around_any_region_there_is_a_square(
    x: float, y: float, width: float, height: float
) -> None:
    region = Region(x0=x, y0=y, x1=x + width, y1=y + height)
    around = cut(PICTURE, square_around(region, *PICTURE.size))
    assert around.width == around.height


def test_a_regions_square_has_its_centre_and_a_margin() -> None:
    square = square_around(Region(x0=0.2, y0=0.1, x1=0.4, y1=0.7), 100, 100)
    assert square.side == pytest.approx(60 * MARGIN)
    assert square.x + square.side / 2 == pytest.approx(30)
    assert square.y + square.side / 2 == pytest.approx(40)


def test_a_square_without_a_side_is_one_pixel() -> None:
    assert cut(PICTURE, Square(3, 4, 0)).size == (1, 1)


def unit(*values: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.array(values, dtype=np.float32) / np.float32(np.linalg.norm(values))


def test_queries_of_every_kind() -> None:
    text, region = unit(1, 0, 0), unit(0, 1, 0)
    assert fuse(text, region, "text", 0.3) is text
    assert fuse(text, region, "region", 0.3) is region
    assert fuse(text, None, "region", 0.3) is text
    fused, cancelled = fuse(text, region, "fused", 0.25), fuse(text, -text, "fused", 0.5)
    assert fused is not None
    assert cancelled is not None
    np.testing.assert_allclose(fused, unit(1, 3, 0), atol=1e-6)
    np.testing.assert_allclose(cancelled, -text)


@pytest.mark.parametrize("mode", ["text", "region", "fused"])
def test_an_encoder_that_reads_no_text_is_queried_by_the_region(mode: Mode) -> None:
    region = unit(0, 1, 0)
    assert fuse(None, region, mode, 0.3) is region
    assert fuse(None, None, mode, 0.3) is None
