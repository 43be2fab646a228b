"""Crops of layers cut out by their masks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PIL import Image

from operators.matching.segment_crops import masked_crop, segment_vectors
from operators.ports import Segment
from schemas.attributes import Department
from schemas.looks import Region
from tests.matching.painted import JEANS, RED_SHIRT, PaintEncoder, outfit

CELLS = np.arange(100 * 100) % 251
PICTURE = Image.fromarray(np.stack([CELLS.reshape(100, 100).astype(np.uint8)] * 3, axis=-1))


def segment(x0: float, y0: float, x1: float, y1: float, size: tuple[int, int]) -> Segment:
    """A rectangle in fractions of a picture of ``size`` pixels."""
    width, height = size
    mask = np.zeros((height, width), dtype=np.bool_)
    mask[round(y0 * height) : round(y1 * height), round(x0 * width) : round(x1 * width)] = True
    return Segment(Region(x0=x0, y0=y0, x1=x1, y1=y1), mask, confidence=1.0)


def test_the_crop_has_the_masks_pixels_and_is_white_elsewhere() -> None:
    """A region of 50 pixels: a square of 58 that begins 4 pixels before it, at (16, 26)."""
    crop = np.asarray(masked_crop(PICTURE, segment(0.2, 0.3, 0.7, 0.8, PICTURE.size)))
    expected = np.full((58, 58, 3), 255, dtype=np.uint8)
    expected[4:54, 4:54] = np.asarray(PICTURE)[30:80, 20:70]
    np.testing.assert_array_equal(crop, expected)


def test_a_segment_at_the_edge_is_surrounded_by_white() -> None:
    crop = np.asarray(masked_crop(PICTURE, segment(0.0, 0.0, 0.5, 0.5, PICTURE.size)))
    assert crop.shape == (58, 58, 3)
    np.testing.assert_array_equal(crop[4:54, 4:54], np.asarray(PICTURE)[:50, :50])
    assert (crop[:4] == 255).all()
    assert (crop[:, 54:] == 255).all()


class Outlines:
    """Finds the shirt and the jeans of :func:`outfit`."""

    fingerprint = "outlines"

    async def segment(
        self, image: Image.Image, queries: Mapping[Department, str]
    ) -> dict[Department, Segment]:
        known = {
            Department.TOP: segment(0.25, 1 / 6, 0.75, 0.5, image.size),
            Department.BOTTOM: segment(0.3125, 0.5, 0.6875, 5 / 6, image.size),
        }
        return {department: known[department] for department in queries if department in known}


async def test_each_layer_that_is_found_has_the_vector_of_its_crop() -> None:
    encoder = PaintEncoder()
    queries = {Department.BOTTOM: "jeans", Department.TOP: "a shirt", Department.BAG: "a bag"}
    vectors = await segment_vectors(outfit(), queries, Outlines(), encoder)
    assert set(vectors) == {Department.TOP, Department.BOTTOM}
    for department, paint in ((Department.TOP, RED_SHIRT), (Department.BOTTOM, JEANS)):
        expected = await encoder.encode_image(Image.new("RGB", (1, 1), paint))
        np.testing.assert_array_equal(vectors[department], expected)
