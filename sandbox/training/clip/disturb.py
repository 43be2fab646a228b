"""Pictures as other cameras, screens and networks make them."""

import io
import math
import random

import numpy as np
import numpy.typing as npt
from PIL import Image

from sandbox.world import COLOURS, Printing
from sandbox.world.garments import RGB, shade_of

_Pixels = npt.NDArray[np.uint8]

PERIODS = (0.5, 1.9)
"""Pattern periods, relative to the shop's own; chosen log-uniformly."""


def disturb(picture: _Pixels, rng: random.Random) -> _Pixels:
    """Another picture of the same: (h, w, 3) uint8. A third of the pictures stay as they are."""
    if rng.random() < 1 / 3:
        return picture
    if rng.random() < 0.45:
        picture = _relight(picture, rng)
    if rng.random() < 0.4:
        picture = _lose_detail(picture, rng)
    if rng.random() < 0.25:
        picture = _add_noise(picture, rng)
    if rng.random() < 0.25:
        picture = _compress(picture, rng)
    return picture


def other_cloth(rng: random.Random) -> Printing:
    """Other pattern periods, and shades a little off, for two looks of three."""
    if rng.random() < 1 / 3:
        return Printing()
    low, high = PERIODS
    period = low * (high / low) ** rng.random()
    return Printing({name: _shade(name, rng) for name in COLOURS}, period)


def _shade(name: str, rng: random.Random) -> RGB:
    def draw() -> RGB:
        red, green, blue = (
            min(255, max(0, round(c * rng.uniform(0.88, 1.1)))) for c in COLOURS[name]
        )
        return red, green, blue

    return shade_of(name, draw)


def _relight(picture: _Pixels, rng: random.Random) -> _Pixels:
    """Darker or brighter, with a cast."""
    brightness = math.exp(rng.uniform(math.log(0.5), math.log(1.35)))
    factors = [brightness * rng.uniform(0.88, 1.12) for _ in range(3)]
    return np.clip(picture * np.array(factors, np.float32), 0, 255).astype(np.uint8)


def _lose_detail(picture: _Pixels, rng: random.Random) -> _Pixels:
    """As from a garment that was small in its picture."""
    height, width = picture.shape[:2]
    share = rng.uniform(0.3, 0.9)
    image = Image.fromarray(picture)
    small = image.resize((int(width * share), int(height * share)), Image.Resampling.BILINEAR)
    return np.asarray(small.resize((width, height), Image.Resampling.BILINEAR), dtype=np.uint8)


def _add_noise(picture: _Pixels, rng: random.Random) -> _Pixels:
    noise = np.random.default_rng(rng.randrange(2**32)).normal(0, rng.uniform(4, 20), picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def _compress(picture: _Pixels, rng: random.Random) -> _Pixels:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=rng.randint(25, 80))
    return np.asarray(Image.open(out), dtype=np.uint8)
