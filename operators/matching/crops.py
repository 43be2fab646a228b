"""Rectangles in pixels of a picture, and square crops for encoders with a square input."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from schemas.looks import Region

MARGIN = 1.16
"""Side of a region's square, relative to the region's longer side. Encoders recognise a garment
better with some context around it; the sandbox encoder was trained with this margin."""


TINY = 1 / 48
"""Shortest side of a layer, as a share of the picture's longer side: two cells of the heat map
(operators.matching.heat). The smallest layers of the sandbox, glasses on a full figure, have seven.
"""


@dataclass(frozen=True, slots=True)
class Frame:
    """A rectangle of a picture, in pixels; may extend beyond it."""

    x: float
    y: float
    width: float
    height: float

    def region(self, box: Region, width: int, height: int) -> Region:
        """Convert ``box`` from fractions of this frame to fractions of the whole picture.

        ``width``, ``height``: of the picture, in pixels.
        """
        return Region(
            x0=_within((self.x + box.x0 * self.width) / width, 0.0, 1.0 - EDGE),
            y0=_within((self.y + box.y0 * self.height) / height, 0.0, 1.0 - EDGE),
            x1=_within((self.x + box.x1 * self.width) / width, EDGE, 1.0),
            y1=_within((self.y + box.y1 * self.height) / height, EDGE, 1.0),
        )


EDGE = 1e-3
"""Smallest size of a region at the picture's edge, as a fraction of the picture."""


@dataclass(frozen=True, slots=True)
class Square:
    """In pixels of the picture; may extend beyond it."""

    x: float
    y: float
    side: float


def square_around(region: Region, width: int, height: int, margin: float = MARGIN) -> Square:
    """The square centred on the region, ``margin`` times as long as the region's longer side."""
    x0, x1 = region.x0 * width, region.x1 * width
    y0, y1 = region.y0 * height, region.y1 * height
    side = max(x1 - x0, y1 - y0) * margin
    return Square((x0 + x1 - side) / 2, (y0 + y1 - side) / 2, side)


def cut(picture: Image.Image, square: Square) -> Image.Image:
    """Crop the square; outside the picture, edge pixels are repeated."""
    side = max(1, math.ceil(square.side))
    # A square that is all outside shows what one at the edge does.
    left = min(max(math.floor(square.x), 1 - side), picture.width - 1)
    top = min(max(math.floor(square.y), 1 - side), picture.height - 1)
    x0, x1 = max(left, 0), min(left + side, picture.width)
    y0, y1 = max(top, 0), min(top + side, picture.height)
    inside = picture.crop((x0, y0, x1, y1))
    if inside.size == (side, side):
        return inside
    pixels = np.asarray(inside)
    missing = [(y0 - top, top + side - y1), (x0 - left, left + side - x1), (0, 0)]
    return Image.fromarray(np.pad(pixels, missing[: pixels.ndim], mode="edge"))


def is_visible(region: Region, picture: Image.Image) -> bool:
    """Whether the region is at least TINY on both sides: no layer is a line at the picture's edge,
    where a stray hot patch is clipped."""
    width = (region.x1 - region.x0) * picture.width
    height = (region.y1 - region.y0) * picture.height
    return min(width, height) >= TINY * max(picture.size)


def _within(value: float, low: float, high: float) -> float:
    return min(high, max(low, value))
