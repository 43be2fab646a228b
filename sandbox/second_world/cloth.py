"""Cloth as a field of colours: patterns, weave and relief, computed per pixel in body units."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from sandbox.second_world.geometry import Array
from sandbox.second_world.shades import RGB
from sandbox.second_world.styles import Style

_WEAVE_PERIOD = 0.045
"""Body units: visible in a product's photograph, hardly in a look."""


def dye(style: Style, u: Array, v: Array) -> Array:
    """The cloth's colours at the coordinates: shape (rows, columns, 3), 0..1."""
    cos, sin = math.cos(style.angle), math.sin(style.angle)
    a, b = (cos * u + sin * v) / style.period, (cos * v - sin * u) / style.period
    share = _PATTERNS[style.pattern](a, b) if style.pattern in _PATTERNS else np.zeros_like(u)
    first, second = np.array(style.shade, np.float32), np.array(style.second, np.float32)
    coloured = first + share[..., None] * (second - first)
    return np.asarray(coloured * _weave(style.weave, u, v)[..., None], np.float32)


def plain(colour: RGB, like: Array) -> Array:
    """One colour in the shape of ``like``."""
    return np.broadcast_to(np.array(colour, np.float32), (*like.shape, 3))


def noise(shape: tuple[int, int], cells: float, seed: int) -> Array:
    """Smooth noise of mean 0 and about unit range: ``cells`` pixels from bump to bump."""
    rows, columns = (max(2, math.ceil(size / cells) + 1) for size in shape)
    values = np.random.default_rng(seed).uniform(-1, 1, (rows, columns)).astype(np.float32)
    small = Image.fromarray(values)
    return np.asarray(small.resize((shape[1], shape[0]), Image.Resampling.BICUBIC), np.float32)


def _step(x: Array, softness: float = 0.06) -> Array:
    """0 below, 1 above 0, with a soft edge as ink has on cloth."""
    return np.asarray(np.clip(x / softness + 0.5, 0, 1))


def _cell(x: Array) -> Array:
    """Distance from the middle of the unit cell, -0.5..0.5."""
    return np.asarray(x - np.floor(x) - 0.5)


def _stripes(a: Array, b: Array) -> Array:
    thin = _step(0.06 - np.abs(_cell(b + 0.33)))
    return np.maximum(_step(0.2 - np.abs(_cell(b))), thin)


def _checks(a: Array, b: Array) -> Array:
    bands = _step(0.24 - np.abs(_cell(a))) + _step(0.24 - np.abs(_cell(b)))
    lines = _step(0.03 - np.abs(_cell(a + 0.5))) + _step(0.03 - np.abs(_cell(b + 0.5)))
    return np.clip(0.5 * bands + 0.4 * lines, 0, 1)


def _dots(a: Array, b: Array) -> Array:
    row = np.floor(b)
    return _step(0.24 - np.hypot(_cell(a + 0.5 * (row % 2)), _cell(b)))


def _flowers(a: Array, b: Array) -> Array:
    a, b = a / 1.7, b / 1.7
    row = np.floor(b)
    x, y = _cell(a + 0.43 * row), _cell(b)
    turn = np.sin(12.9898 * np.floor(a + 0.43 * row) + 78.233 * row) * 3.0
    x, y = x + 0.07 * np.sin(5 * turn), y + 0.07 * np.cos(3 * turn)
    radius, angle = np.hypot(x, y), np.arctan2(y, x) + turn
    petals = 0.31 * (0.55 + 0.45 * np.abs(np.cos(2.5 * angle)))
    leaf = _step(0.035 - np.abs(y - 0.35 + 1.5 * x * x)) * (np.abs(x) < 0.3)
    return np.clip(_step(petals - radius) - _step(0.09 - radius) + 0.7 * leaf, 0, 1)


def _zigzag(a: Array, b: Array) -> Array:
    return _step(0.25 - np.abs(_cell(b + np.abs(_cell(a)))))


_PATTERNS = {
    "striped": _stripes,
    "checked": _checks,
    "dotted": _dots,
    "floral": _flowers,
    "geometric": _zigzag,
}


def _weave(weave: str, u: Array, v: Array) -> Array:
    """Brightness of the threads, around 1."""
    k = 2 * math.pi / _WEAVE_PERIOD
    threads = np.zeros_like(u)
    if weave == "plain":
        threads = 0.04 * np.sin(k * u) * np.sin(k * v)
    elif weave == "twill":
        threads = 0.06 * np.sin(k * (u + v) * 0.8)
    elif weave == "knit":
        rows = np.abs(_cell(u / 0.11))
        threads = 0.12 * np.sin(k * 0.55 * (v + 1.2 * rows * 0.11)) * (0.4 + rows)
    elif weave == "rib":
        threads = 0.08 * np.sin(k * 0.5 * u)
    return np.asarray(1 + threads)
