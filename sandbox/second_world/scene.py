"""Places where people stand: a room, a street, a park, a studio."""

from __future__ import annotations

import random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from sandbox.second_world.canvas import SUPERSAMPLING
from sandbox.second_world.cloth import noise
from sandbox.second_world.geometry import Array
from sandbox.second_world.shades import rgb

_BLUR = 5.0


def draw_scene(size: tuple[int, int], rng: random.Random) -> Array:
    """Shape (rows, columns, 3), 0..1, supersampled."""
    columns, rows = (SUPERSAMPLING * side for side in size)
    picture = Image.new("RGB", (columns, rows), _muted(rng, 84))
    draw = ImageDraw.Draw(picture)
    horizon = int(rows * rng.uniform(0.68, 0.84))
    rng.choice((_room, _street, _park, _studio))(draw, columns, rows, horizon, rng)
    soft = picture.filter(ImageFilter.GaussianBlur(_BLUR * SUPERSAMPLING / 2))
    pixels = np.asarray(soft, np.float32) / 255
    grain = 1 + 0.04 * noise((rows, columns), 40, rng.randrange(10**6))
    return np.asarray(pixels * grain[..., None], np.float32)


def _muted(rng: random.Random, lightness: float) -> tuple[int, int, int]:
    """A colour that nothing worn competes with, as 0..255."""
    lab = (lightness + rng.uniform(-8, 8), rng.uniform(-9, 9), rng.uniform(-10, 12))
    red, green, blue = rgb(lab)
    return int(255 * red), int(255 * green), int(255 * blue)


def _floor(
    draw: ImageDraw.ImageDraw, columns: int, rows: int, horizon: int, rng: random.Random
) -> None:
    draw.rectangle((0, horizon, columns, rows), _muted(rng, 58))


def _room(
    draw: ImageDraw.ImageDraw, columns: int, rows: int, horizon: int, rng: random.Random
) -> None:
    _floor(draw, columns, rows, horizon, rng)
    draw.rectangle((0, horizon - 10, columns, horizon), _muted(rng, 92))
    for _ in range(rng.randint(1, 3)):
        x, y = rng.uniform(-0.1, 0.9) * columns, rng.uniform(0.05, 0.4) * rows
        w, h = rng.uniform(0.15, 0.4) * columns, rng.uniform(0.1, 0.3) * rows
        draw.rectangle((x - 6, y - 6, x + w + 6, y + h + 6), _muted(rng, 40))
        draw.rectangle((x, y, x + w, y + h), _muted(rng, 88))


def _street(
    draw: ImageDraw.ImageDraw, columns: int, rows: int, horizon: int, rng: random.Random
) -> None:
    x = 0.0
    while x < columns:
        w = rng.uniform(0.15, 0.35) * columns
        top = rng.uniform(0.0, 0.3) * rows
        draw.rectangle((x, top, x + w, horizon), _muted(rng, 66))
        glass = _muted(rng, 50)
        for y in range(int(top) + 30, horizon - 60, 90):
            for step in (0.15, 0.6):
                draw.rectangle((x + step * w, y, x + (step + 0.25) * w, y + 50), glass)
        x += w
    _floor(draw, columns, rows, horizon, rng)


def _park(
    draw: ImageDraw.ImageDraw, columns: int, rows: int, horizon: int, rng: random.Random
) -> None:
    red, green, blue = rgb((62 + rng.uniform(-6, 6), -16, 20))
    draw.rectangle((0, horizon, columns, rows), (int(255 * red), int(255 * green), int(255 * blue)))
    for _ in range(14):
        x, y, r = rng.uniform(0, columns), rng.uniform(0, 0.6) * rows, rng.uniform(40, 140)
        red, green, blue = rgb((rng.uniform(55, 80), rng.uniform(-20, -6), rng.uniform(6, 26)))
        draw.ellipse(
            (x - r, y - r, x + r, y + r), (int(255 * red), int(255 * green), int(255 * blue))
        )


def _studio(
    draw: ImageDraw.ImageDraw, columns: int, rows: int, horizon: int, rng: random.Random
) -> None:
    colour = _muted(rng, 78)
    draw.rectangle((0, 0, columns, rows), colour)
    shade = (colour[0] * 9 // 10, colour[1] * 9 // 10, colour[2] * 9 // 10)
    draw.ellipse((-0.3 * columns, horizon, 1.3 * columns, 1.4 * rows), shade)
