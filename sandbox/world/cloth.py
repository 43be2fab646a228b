"""Cloth: the printed pattern of a garment."""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from PIL import Image, ImageDraw

from sandbox.world.garments import COLOURS, RGB, Garment
from sandbox.world.shapes import Tone

# Pattern period in body units: large enough to be recognised in a picture of 112 px.
_PERIODS = {"headwear": 9.0, "bag": 10.5, "footwear": 7.0}
_PERIOD = 12.5
_BRIGHT = ("yellow", "white")
_STRIPE, _CHECK, _DOT, _PETAL = 0.34, 0.27, 0.25, 0.2  # fractions of a period


@dataclass(frozen=True, slots=True)
class Printing:
    """How cloth is dyed and printed."""

    palette: Mapping[str, RGB] = field(default_factory=lambda: COLOURS)
    """The shade of each colour by name."""
    period: float = 1.0
    """Pattern periods, relative to the usual ones."""


def mix(a: RGB, b: RGB, t: float) -> RGB:
    """The colour a fraction `t` of the way from `a` to `b`."""
    return tuple(int(x + (y - x) * t) for x, y in zip(a, b, strict=True))  # type: ignore[return-value]


def tone_of(garment: Garment, tone: Tone, printing: Printing) -> RGB:
    """The colour of a detail on this garment."""
    colour = printing.palette[garment.colour]
    brightness = sum(colour)
    if isinstance(tone, tuple):
        return tone
    if tone == "second":
        return (
            printing.palette[garment.second_colour]
            if garment.second_colour
            else mix(colour, (0, 0, 0), 0.35)
        )
    if tone == "light":
        return mix(colour, (255, 255, 255), 0.24) if brightness < 690 else (226, 226, 228)
    if tone == "button":
        return (238, 238, 236) if brightness < 420 else (62, 60, 62)
    if tone == "strap":
        return mix(colour, (0, 0, 0), 0.25)
    return mix(colour, (255, 255, 255), 0.28) if brightness < 150 else mix(colour, (0, 0, 0), 0.38)


class _Bolt:
    """A canvas for a pattern, with slightly rotated and wavy coordinates."""

    def __init__(self, size: tuple[int, int], period: float, rng: random.Random) -> None:
        self.width, self.height = size
        self.period = period * rng.uniform(0.93, 1.08)
        self.wave = self.period * rng.uniform(0.02, 0.09)
        self.pace = rng.uniform(0.25, 0.5) / self.period
        self.phase = rng.uniform(0.0, math.tau)
        angle = rng.uniform(-0.07, 0.07)
        self._cos, self._sin = math.cos(angle), math.sin(angle)
        self.x0, self.y0 = rng.uniform(0, self.period), rng.uniform(0, self.period)
        margin = 0.08 * max(size) + self.period
        self.columns = range(
            -int(margin / period) - 1, int((self.width + margin) / self.period) + 2
        )
        self.rows = range(-int(margin / period) - 1, int((self.height + margin) / self.period) + 2)

    def at(self, x: float, y: float) -> tuple[float, float]:
        x, y = (
            x + self.wave * math.sin(y * self.pace),
            y + self.wave * math.sin(x * self.pace + self.phase),
        )
        return self._cos * x - self._sin * y, self._sin * x + self._cos * y

    def band(
        self, start: float, thickness: float, upright: bool = False
    ) -> list[tuple[float, float]]:
        """A stripe across the whole bolt."""
        long = self.height if upright else self.width
        margin = 0.08 * max(self.width, self.height) + self.period
        steps = max(3, int((long + 2 * margin) / (self.period * 1.2)))
        along = [-margin + (long + 2 * margin) * i / steps for i in range(steps + 1)]
        there = [(start, t) if upright else (t, start) for t in along]
        end = start + thickness
        back = [(end, t) if upright else (t, end) for t in reversed(along)]
        return [self.at(x, y) for x, y in there + back]


def texture(
    size: tuple[int, int],
    garment: Garment,
    scale: float,
    rng: random.Random,
    printing: Printing,
) -> Image.Image:
    """A piece of the garment's cloth, RGB, at `scale` pixels per body unit."""
    palette = printing.palette
    cloth = Image.new("RGB", size, palette[garment.colour])
    if garment.pattern == "solid" or garment.second_colour is None:
        return cloth
    period = printing.period * _PERIODS.get(garment.department, _PERIOD)
    bolt = _Bolt(size, scale * period, rng)
    draw = ImageDraw.Draw(cloth)
    second = palette[garment.second_colour]
    if garment.pattern == "striped":
        _stripes(draw, bolt, second)
    elif garment.pattern == "checked":
        _checks(draw, bolt, palette[garment.colour], second)
    elif garment.pattern == "dotted":
        _dots(draw, bolt, second)
    else:
        heart = (255, 236, 120) if garment.second_colour not in _BRIGHT else (232, 120, 30)
        _flowers(draw, bolt, second, heart, rng)
    return cloth


def _stripes(draw: ImageDraw.ImageDraw, bolt: _Bolt, second: RGB) -> None:
    for j in bolt.rows:
        draw.polygon(bolt.band(bolt.y0 + j * bolt.period, bolt.period * _STRIPE), fill=second)


def _checks(draw: ImageDraw.ImageDraw, bolt: _Bolt, first: RGB, second: RGB) -> None:
    p, thickness = bolt.period, bolt.period * _CHECK
    half = mix(first, second, 0.62)
    for j in bolt.rows:
        draw.polygon(bolt.band(bolt.y0 + j * p, thickness), fill=half)
    for i in bolt.columns:
        draw.polygon(bolt.band(bolt.x0 + i * p, thickness, upright=True), fill=half)
    for j in bolt.rows:
        for i in bolt.columns:
            x, y = bolt.x0 + i * p, bolt.y0 + j * p
            corners = (
                (x, y),
                (x + thickness, y),
                (x + thickness, y + thickness),
                (x, y + thickness),
            )
            draw.polygon([bolt.at(*corner) for corner in corners], fill=second)


def _dots(draw: ImageDraw.ImageDraw, bolt: _Bolt, second: RGB) -> None:
    p, q = bolt.period, bolt.period * _DOT
    for j in range(bolt.rows.start, int(bolt.rows.stop * 1.25) + 1):
        for i in bolt.columns:
            x, y = bolt.at(bolt.x0 + (i + (j % 2) * 0.5) * p, bolt.y0 + j * p * 0.8)
            draw.ellipse((x - q, y - q, x + q, y + q), fill=second)


def _flowers(
    draw: ImageDraw.ImageDraw, bolt: _Bolt, petals: RGB, heart: RGB, rng: random.Random
) -> None:
    p = bolt.period * 1.12
    q = p * _PETAL
    for j in range(bolt.rows.start, int(bolt.rows.stop * 1.1) + 1):
        for i in bolt.columns:
            x, y = bolt.at(bolt.x0 + (i + (j % 2) * 0.5) * p, bolt.y0 + j * p * 0.85)
            if not (-2 * q < x < bolt.width + 2 * q and -2 * q < y < bolt.height + 2 * q):
                continue
            turned = rng.uniform(0, 1.25)
            for k in range(5):
                px = x + 1.15 * q * math.cos(k * math.tau / 5 + turned)
                py = y + 1.15 * q * math.sin(k * math.tau / 5 + turned)
                r = q * 0.82
                draw.ellipse((px - r, py - r, px + r, py + r), fill=petals)
            r = q * 0.68
            draw.ellipse((x - r, y - r, x + r, y + r), fill=heart)
