"""Square regions of looks, for training and evaluation."""

import random

import numpy as np
import numpy.typing as npt
from PIL import Image

from sandbox.training.clip.dataset import IMAGE_SIZE, Pixels
from sandbox.world import Box
from sandbox.world.look import LABEL_REDUCTION

MARGIN = 1.16
"""Side of a region's square, relative to the box's longer side."""


def square_around(box: Box, margin: float = MARGIN) -> Box:
    """The square centred on the box; it may extend beyond the picture."""
    x0, y0, x1, y1 = box
    half = max(x1 - x0, y1 - y0) * margin / 2
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    return x - half, y - half, x + half, y + half


def jittered_square(box: Box, rng: random.Random) -> Box:
    """A square as from a detected box: edges off by up to 15 %, varying margins."""
    x0, y0, x1, y1 = box
    w, h = 0.15 * (x1 - x0), 0.15 * (y1 - y0)
    noisy = (
        x0 + rng.triangular(-w, w),
        y0 + rng.triangular(-h, h),
        x1 + rng.triangular(-w, w),
        y1 + rng.triangular(-h, h),
    )
    return square_around(noisy, rng.triangular(0.95, 1.5, MARGIN))


def cut(look: Pixels, square: Box, size: int = IMAGE_SIZE) -> Pixels:
    """The square, size x size; beyond the picture, edge pixels are repeated."""
    height, width = look.shape[:2]
    x0, y0, x1, y1 = square
    px0, py0 = max(0, int(-x0) + 1), max(0, int(-y0) + 1)
    px1, py1 = max(0, int(x1 - width) + 1), max(0, int(y1 - height) + 1)
    ax, ay = max(0, int(x0)), max(0, int(y0))
    bx, by = min(width, int(x1) + 1), min(height, int(y1) + 1)
    part: Pixels = np.ascontiguousarray(look[ay:by, ax:bx])
    if px0 or py0 or px1 or py1:
        part = np.pad(part, ((py0, py1), (px0, px1), (0, 0)), mode="edge")
    ox, oy = ax - px0, ay - py0
    box = (
        max(0.0, x0 - ox),
        max(0.0, y0 - oy),
        min(float(part.shape[1]), x1 - ox),
        min(float(part.shape[0]), y1 - oy),
    )
    region = Image.fromarray(part).resize((size, size), Image.Resampling.BILINEAR, box=box)
    return np.asarray(region, dtype=np.uint8)


def cut_labels(labels: npt.NDArray[np.uint8], square: Box, cells: int) -> npt.NDArray[np.uint8]:
    """Label values sampled on cells x cells points of the square; outside is background."""
    height, width = labels.shape
    x0, y0, x1, y1 = (value / LABEL_REDUCTION for value in square)
    steps = (np.arange(cells) + 0.5) / cells
    xs = np.floor(x0 + (x1 - x0) * steps).astype(int)
    ys = np.floor(y0 + (y1 - y0) * steps).astype(int)
    sampled: Pixels = labels[np.clip(ys, 0, height - 1)][:, np.clip(xs, 0, width - 1)].copy()
    sampled[(ys < 0) | (ys >= height)] = 0
    sampled[:, (xs < 0) | (xs >= width)] = 0
    return sampled


def occlude(region: Pixels, rng: random.Random) -> Pixels:
    """Hide a corner or side of the region behind a plain rectangle."""
    hidden = region.copy()
    size = region.shape[0]
    w, h = (int(size * rng.uniform(0.15, 0.45)) for _ in range(2))
    x = rng.choice((0, size - w, rng.randint(0, size - w)))
    y = rng.choice((0, size - h, rng.randint(0, size - h)))
    hidden[y : y + h, x : x + w] = region[rng.randrange(size), rng.randrange(size)]
    return hidden
