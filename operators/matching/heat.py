"""Heat maps: which class (a department, skin, hair, background) each cell of a picture shows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from operators.matching.crops import Square, cut, square_around
from operators.ports import ImageTextEncoder
from schemas.looks import Region

Heat = NDArray[np.float64]
"""Shape (classes, rows, columns): the probability of each class in each cell of a frame."""

GRID = 96
"""Cells along a frame's longer side."""

CLOSER = 1.3
"""A region is read once more in windows this much larger than its longer side."""

SHIFTS = (0.0, 0.075, -0.075)
"""Where their centres lie, in sides to the right and down: about half a patch apart, so that the
mean of the windows is finer than a patch. docs/decisions/040 has what else was tried."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A part of a picture, in pixels; may reach beyond it."""

    x: float
    y: float
    width: float
    height: float

    def region(self, box: Region, width: int, height: int) -> Region:
        """``box``, in fractions of this frame, in fractions of the picture of that size."""
        return Region(
            x0=_within((self.x + box.x0 * self.width) / width, 0.0, 1.0 - EDGE),
            y0=_within((self.y + box.y0 * self.height) / height, 0.0, 1.0 - EDGE),
            x1=_within((self.x + box.x1 * self.width) / width, EDGE, 1.0),
            y1=_within((self.y + box.y1 * self.height) / height, EDGE, 1.0),
        )


EDGE = 1e-3
"""A region that lies on the picture's very edge keeps this much of the picture."""


async def read_heat(
    image: Image, encoder: ImageTextEncoder, classes: NDArray[np.float32], scale: float
) -> Heat:
    """What the patches of windows of several sizes say of each cell of the picture, the mean of
    the sizes.

    ``classes``: shape (classes, dimension), unit norm; ``scale``: softmax scale of the cosines.
    """
    frame = Frame(0, 0, image.width, image.height)
    sizes = windows(image.width, image.height)
    read = partial(_read, image, frame, encoder=encoder, classes=classes, scale=scale)
    return np.asarray(np.mean(await asyncio.gather(*map(read, sizes)), axis=0))


async def read_closer(
    image: Image,
    region: Region,
    encoder: ImageTextEncoder,
    classes: NDArray[np.float32],
    scale: float,
) -> tuple[Frame, Heat]:
    """The surroundings of ``region``, and what windows of its own size say of each cell there."""
    around = square_around(region, image.width, image.height, CLOSER)
    side = around.side / CLOSER
    squares = [
        Square(around.x + shift * side, around.y + shift * side, around.side) for shift in SHIFTS
    ]
    reach = max(SHIFTS) * side
    whole = around.side + 2 * reach
    frame = Frame(around.x - reach, around.y - reach, whole, whole)
    return frame, await _read(image, frame, squares, encoder=encoder, classes=classes, scale=scale)


async def _read(
    image: Image,
    frame: Frame,
    squares: Sequence[Square],
    *,
    encoder: ImageTextEncoder,
    classes: NDArray[np.float32],
    scale: float,
) -> Heat:
    tokens = await asyncio.gather(
        *(encoder.encode_patches(cut(image, square)) for square in squares)
    )
    return overlay(frame, squares, [softmax(scale * (patches @ classes.T)) for patches in tokens])


def windows(width: int, height: int) -> list[list[Square]]:
    """Squares of two sizes: the shorter side of the picture, and half of that, half overlapping.
    A strip is read as if it were a third as wide as long, to bound their number."""
    longer = max(width, height)
    shorter = max(min(width, height), longer / 3)
    return [
        [Square(x, y, side) for y in _starts(height, side) for x in _starts(width, side)]
        for side in (shorter, shorter / 2)
    ]


def _starts(length: int, side: float) -> list[float]:
    if length <= side:
        return [(length - side) / 2]
    steps = int(np.ceil((length - side) / (side / 2)))
    return [(length - side) * step / steps for step in range(steps + 1)]


def overlay(frame: Frame, squares: Sequence[Square], likely: Sequence[NDArray[np.float64]]) -> Heat:
    """The mean, over all squares that cover a cell, of what they say of it.

    ``likely``: per square, shape (rows, columns, classes), probabilities of the classes in each
    part of the square, interpolated linearly between the parts' centres. The result has GRID
    cells along the longer side of the frame.
    """
    cell = max(frame.width, frame.height) / GRID
    rows, columns = (max(1, round(side / cell)) for side in (frame.height, frame.width))
    ys = frame.y + (np.arange(rows) + 0.5) * frame.height / rows
    xs = frame.x + (np.arange(columns) + 0.5) * frame.width / columns
    total = np.zeros((likely[0].shape[-1], rows, columns))
    covered = np.zeros((rows, columns))
    for square, said in zip(squares, likely, strict=True):
        y, weight_y = _weights(ys, square.y, square.side, said.shape[0])
        x, weight_x = _weights(xs, square.x, square.side, said.shape[1])
        into_y, into_x = np.ix_(y, x)
        total[:, into_y, into_x] += np.einsum("ir,jc,rck->kij", weight_y, weight_x, said)
        covered[into_y, into_x] += 1
    return np.asarray(total / np.maximum(covered, 1))


def _weights(
    cells: NDArray[np.float64], start: float, side: float, parts: int
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Of one axis: the indices of the ``cells`` inside the square, and, shape (cells inside,
    parts), how much each part of the square counts for them."""
    place = (cells - start) / side
    inside = np.flatnonzero((place >= 0) & (place < 1))
    place = np.clip(place[inside] * parts - 0.5, 0, parts - 1)
    distance = np.abs(place[:, None] - np.arange(parts)[None, :])
    return inside, np.maximum(0.0, 1.0 - distance)


def _within(value: float, low: float, high: float) -> float:
    return min(high, max(low, value))


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Over the last axis."""
    weights = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    return np.asarray(weights / weights.sum(-1, keepdims=True))
