"""Heat maps: the class (department, skin, hair, background) of each cell of a picture."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from operators.matching.crops import Frame, Square, cut, square_around
from operators.ports import ImageTextEncoder
from schemas.looks import Region

Heat = NDArray[np.float64]
"""Shape (classes, rows, columns): the probability of each class in each cell of a frame."""

GRID = 96
"""Cells along a frame's longer side."""

CLOSER = 1.3
"""Side of the windows that zoom in on a region, relative to the region's longer side."""

SHIFTS = (0.0, 0.075, -0.075)
"""Offsets of these windows to the right and down, in sides: about half a patch apart, so that the
mean of the windows has a finer resolution than a patch. Alternatives: docs/decisions/040."""


async def heat_map(
    image: Image, encoder: ImageTextEncoder, classes: NDArray[np.float32], scale: float
) -> Heat:
    """The heat map of the whole picture: the mean over windows of several sizes.

    ``classes``: class embeddings, shape (classes, dimension), unit norm; ``scale``: softmax scale
    of the cosines.
    """
    frame = Frame(0, 0, image.width, image.height)
    sizes = windows(image.width, image.height)
    heat_of = partial(_heat_of, image, frame, encoder=encoder, classes=classes, scale=scale)
    return np.asarray(np.mean(await asyncio.gather(*map(heat_of, sizes)), axis=0))


async def coarse_heat_map(
    image: Image, encoder: ImageTextEncoder, classes: NDArray[np.float32], scale: float
) -> Heat:
    """The same with the largest windows only, a few encoder passes: enough to find people."""
    frame = Frame(0, 0, image.width, image.height)
    largest = windows(image.width, image.height)[0]
    return await _heat_of(image, frame, largest, encoder=encoder, classes=classes, scale=scale)


async def zoomed_heat_map(
    image: Image,
    region: Region,
    encoder: ImageTextEncoder,
    classes: NDArray[np.float32],
    scale: float,
) -> tuple[Frame, Heat]:
    """The frame around ``region``, and its heat map by windows of the region's own size."""
    around = square_around(region, image.width, image.height, CLOSER)
    side = around.side / CLOSER
    squares = [
        Square(around.x + shift * side, around.y + shift * side, around.side) for shift in SHIFTS
    ]
    reach = max(SHIFTS) * side
    whole = around.side + 2 * reach
    frame = Frame(around.x - reach, around.y - reach, whole, whole)
    heat = await _heat_of(image, frame, squares, encoder=encoder, classes=classes, scale=scale)
    return frame, heat


async def _heat_of(
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
    """Squares of two sizes, each overlapping by half: the picture's shorter side, and half of it.

    To bound their number, the shorter side counts as at least a third of the longer one.
    """
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


def overlay(
    frame: Frame, squares: Sequence[Square], probabilities: Sequence[NDArray[np.float64]]
) -> Heat:
    """Average the squares' probabilities in each cell of the frame that they cover.

    ``probabilities``: per square, shape (rows, columns, classes), one entry per patch of the
    square; interpolated linearly between the patches' centres. The result has GRID cells along the
    longer side of the frame; cells that no square covers are 0.
    """
    cell = max(frame.width, frame.height) / GRID
    rows, columns = (max(1, round(side / cell)) for side in (frame.height, frame.width))
    ys = frame.y + (np.arange(rows) + 0.5) * frame.height / rows
    xs = frame.x + (np.arange(columns) + 0.5) * frame.width / columns
    total = np.zeros((probabilities[0].shape[-1], rows, columns))
    covered = np.zeros((rows, columns))
    for square, patches in zip(squares, probabilities, strict=True):
        y, weight_y = _weights(ys, square.y, square.side, patches.shape[0])
        x, weight_x = _weights(xs, square.x, square.side, patches.shape[1])
        by_class = np.ascontiguousarray(patches.transpose(2, 0, 1))
        # Two matrix products: an einsum over three operands takes 30 times as long.
        total[:, y, x] += weight_y @ (by_class @ weight_x.T)
        covered[y, x] += 1
    total /= np.maximum(covered, 1)
    return total


def _weights(
    cells: NDArray[np.float64], start: float, side: float, patches: int
) -> tuple[slice, NDArray[np.float64]]:
    """Linear interpolation along one axis.

    ``cells``: centres, ascending. Returns which of them are inside the square, and the weight of
    each patch for each of these, shape (cells inside, patches).
    """
    position = (cells - start) / side
    inside = slice(*np.searchsorted(position, (0.0, 1.0)).tolist())
    position = np.clip(position[inside] * patches - 0.5, 0, patches - 1)
    distance = np.abs(position[:, None] - np.arange(patches)[None, :])
    return inside, np.maximum(0.0, 1.0 - distance)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Softmax over the last axis."""
    weights = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    return np.asarray(weights / weights.sum(-1, keepdims=True))
