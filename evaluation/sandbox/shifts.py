"""Looks as the drawn world does not draw them: disturbed pictures, other framings, other cloth.

The catalog stays as it is. Each shift says what it does to a look and what share of the unchanged
figures has to remain.
"""

from __future__ import annotations

import colorsys
import io
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from sandbox.life import LookTruth
from sandbox.world import COLOURS, DEPARTMENTS, SLEEVES, Box, Garment, Printing, draw_look
from sandbox.world.garments import RGB, shade_of
from schemas.looks import Region

QUALITY = 92
"""Of the shifted pictures as JPEG, unless the shift is about JPEG."""


@dataclass(frozen=True, slots=True)
class OriginalLook:
    """A look to shift."""

    truth: LookTruth
    picture: Image.Image
    other: Image.Image
    """Another look's picture."""
    rng: random.Random


@dataclass(frozen=True, slots=True)
class Shifted:
    """A shifted look."""

    picture: Image.Image
    quality: int = QUALITY
    visible: Callable[[Box], bool] = lambda box: True
    """Whether a layer of this box (in the unshifted picture) can still be recognised: at least half
    of it is visible."""
    person: Region | None = None
    """The person asked for."""

    def jpeg(self) -> bytes:
        """The picture as it is sent."""
        out = io.BytesIO()
        self.picture.convert("RGB").save(out, "JPEG", quality=self.quality)
        return out.getvalue()


@dataclass(frozen=True, slots=True)
class Shift:
    """A change of looks, and its target for hit@1 of the exact layers."""

    name: str
    apply: Callable[[OriginalLook], Shifted]
    target: float
    relative: bool
    """Whether the target is a share of the unchanged looks' figure."""


def crop(look: OriginalLook) -> Shifted:
    """The upper three quarters."""
    width, height = look.picture.size
    picture = look.picture.crop((0, 0, width, int(height * 0.75)))
    return Shifted(picture, visible=lambda box: _covered(box, (0, 0, 1, 0.75)) >= 0.5)


def rectangle(look: OriginalLook) -> Shifted:
    """A grey rectangle over a fifth of the picture."""
    width, height = look.picture.size
    w = int(width * look.rng.uniform(0.35, 0.6))
    h = int(0.2 * width * height / w)
    x, y = look.rng.randrange(width - w), look.rng.randrange(max(1, height - h))
    picture = look.picture.copy()
    picture.paste((128, 128, 128), (x, y, x + w, y + h))
    hidden = (x / width, y / height, (x + w) / width, (y + h) / height)
    return Shifted(picture, visible=lambda box: _covered(box, hidden) <= 0.5)


def noise(look: OriginalLook) -> Shifted:
    """Gaussian noise with a standard deviation of 18 of 255."""
    pixels = np.asarray(look.picture).astype(float)
    added = np.random.default_rng(look.rng.randrange(10**9)).normal(0, 18, pixels.shape)
    return Shifted(Image.fromarray(np.clip(pixels + added, 0, 255).astype(np.uint8)))


def distant(look: OriginalLook) -> Shifted:
    """The look at 60 % of the picture's height, on a plain wall."""
    width, height = look.picture.size
    small = look.picture.resize((int(width * 0.6), int(height * 0.6)), Image.Resampling.LANCZOS)
    wall = _wall(look.picture, (width, height))
    wall.paste(small, ((width - small.width) // 2, height - small.height))
    return Shifted(wall)


def wide(look: OriginalLook) -> Shifted:
    """A picture of 3:2 with the look in its middle, on a plain wall."""
    height = look.picture.height
    wall = _wall(look.picture, (int(height * 1.5), height))
    wall.paste(look.picture, ((wall.width - look.picture.width) // 2, 0))
    return Shifted(wall)


def two_persons(look: OriginalLook) -> Shifted:
    """A second person stands on the right; the one on the left is asked for."""
    width, height = look.picture.size
    both = Image.new("RGB", (2 * width, height))
    both.paste(look.picture, (0, 0))
    both.paste(look.other.resize((width, height)), (width, 0))
    return Shifted(both, person=Region(x0=0.1, y0=0.0, x1=0.4, y1=1.0))


def palette(look: OriginalLook) -> Shifted:
    """Other shades that people call by the same names: hue within 6 degrees, saturation by .75 to
    1.1, value by .78 to 1.12."""
    shades = {name: _shade(name, look.rng) for name in COLOURS}
    return _redrawn(look, Printing(palette=shades))


def _scaled(red: float, green: float, blue: float) -> Callable[[OriginalLook], Shifted]:
    table = [min(255, int(v * factor)) for factor in (red, green, blue) for v in range(256)]
    return lambda look: Shifted(look.picture.point(table))


def _hue(degrees: float) -> Callable[[OriginalLook], Shifted]:
    turned = [(v + round(degrees * 256 / 360)) % 256 for v in range(256)]

    def apply(look: OriginalLook) -> Shifted:
        hue, saturation, value = look.picture.convert("HSV").split()
        merged = Image.merge("HSV", (hue.point(turned), saturation, value))
        return Shifted(merged.convert("RGB"))

    return apply


def _mirror(look: OriginalLook) -> Shifted:
    return Shifted(look.picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT))


def _half(look: OriginalLook) -> Shifted:
    size = (look.picture.width // 2, look.picture.height // 2)
    return Shifted(look.picture.resize(size, Image.Resampling.LANCZOS))


def _redrawn(look: OriginalLook, printing: Printing) -> Shifted:
    rng = random.Random(f"redrawn/{look.truth.look_id}")
    drawn = draw_look(_outfit(look.truth, rng), rng, look.picture.size, printing)
    return Shifted(drawn.picture)


def _outfit(look: LookTruth, rng: random.Random) -> Mapping[str, Garment]:
    """The garments worn; a sleeve that the look hides is drawn at random."""
    outfit = {}
    for department in DEPARTMENTS:
        if department not in look.layers:
            continue
        garment = look.layers[department].garment.garment()
        if garment.sleeve is None and garment.type in SLEEVES:
            garment = replace(garment, sleeve=rng.choice(SLEEVES[garment.type]))
        outfit[department] = garment
    return outfit


def _shade(name: str, rng: random.Random) -> RGB:
    hue, saturation, value = colorsys.rgb_to_hsv(*(c / 255 for c in COLOURS[name]))

    def draw() -> RGB:
        red, green, blue = colorsys.hsv_to_rgb(
            (hue + rng.uniform(-6, 6) / 360) % 1,
            min(1, saturation * rng.uniform(0.75, 1.1)),
            min(1, value * rng.uniform(0.78, 1.12)),
        )
        return round(255 * red), round(255 * green), round(255 * blue)

    return shade_of(name, draw)


def _wall(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    return Image.new("RGB", size, picture.getpixel((3, 3)))


def _covered(box: Box, by: Box) -> float:
    """The share of ``box`` that ``by`` covers."""
    width = max(0.0, min(box[2], by[2]) - max(box[0], by[0]))
    height = max(0.0, min(box[3], by[3]) - max(box[1], by[1]))
    area = (box[2] - box[0]) * (box[3] - box[1])
    return width * height / area if area else 0.0


UNCHANGED = Shift("unchanged", lambda look: Shifted(look.picture), 0.98, False)

SHIFTS = (
    UNCHANGED,
    Shift("mirrored", _mirror, 0.97, True),
    Shift("JPEG quality 30", lambda s: Shifted(s.picture, quality=30), 0.97, True),
    Shift("half the size", _half, 0.97, True),
    Shift("noise", noise, 0.97, True),
    Shift("upper three quarters", crop, 0.92, True),
    Shift("warm light", _scaled(1.12, 1.0, 0.8), 0.92, True),
    Shift("hue by 15 degrees", _hue(15), 0.92, True),
    Shift("brightness 0.6", _scaled(0.6, 0.6, 0.6), 0.92, True),
    Shift("other shades", palette, 0.92, True),
    Shift("60 % of the height", distant, 0.93, False),
    Shift("padded to 3:2", wide, 0.93, False),
    Shift("one of two persons", two_persons, 0.90, False),
    Shift(
        "patterns x 0.55",
        lambda s: _redrawn(s, Printing(period=0.55)),
        0.85,
        False,
    ),
    Shift("patterns x 1.7", lambda s: _redrawn(s, Printing(period=1.7)), 0.85, False),
    Shift("a fifth covered", rectangle, 0.85, False),
)
"""The suite, in the order of its report."""
