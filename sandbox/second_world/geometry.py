"""Outlines in body units (a head is about one unit high; y points down) and their way to pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Point = tuple[float, float]
Outline = list[Point]
Array = npt.NDArray[np.floating[Any]]
"""float32, or what numpy makes of it: 0..1 where it holds colours."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A similarity from body units to pixels."""

    scale: float
    """Pixels per body unit."""
    x: float
    y: float
    """Where (0, 0) lies, in pixels."""
    turn: float = 0.0
    """Radians, clockwise."""

    def pixels(self, outline: Sequence[Point]) -> Outline:
        cos, sin = math.cos(self.turn) * self.scale, math.sin(self.turn) * self.scale
        return [(self.x + cos * u - sin * v, self.y + sin * u + cos * v) for u, v in outline]

    def units(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Body units of pixel coordinates."""
        cos, sin = math.cos(self.turn) / self.scale, math.sin(self.turn) / self.scale
        u = cos * (x - self.x) + sin * (y - self.y)
        v = cos * (y - self.y) - sin * (x - self.x)
        return u.astype(np.float32), v.astype(np.float32)


def curve(points: Sequence[Point], steps: int = 6) -> Outline:
    """A Catmull-Rom spline through ``points``, from the first to the last."""
    padded = [points[0], *points, points[-1]]
    found: Outline = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        for step in range(steps):
            t = step / steps
            found.append((_blend(a[0], b[0], c[0], d[0], t), _blend(a[1], b[1], c[1], d[1], t)))
    return [*found, points[-1]]


def _blend(a: float, b: float, c: float, d: float, t: float) -> float:
    return 0.5 * (
        2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - 3 * c + d - a) * t**3
    )


def tube(points: Sequence[Point], widths: Sequence[float]) -> Outline:
    """The outline of a limb along ``points``, with half-width ``widths`` at each of them."""
    middle = curve(points)
    stations = np.linspace(0, len(widths) - 1, len(middle))
    halves = np.interp(stations, np.arange(len(widths)), widths)
    left: Outline = []
    right: Outline = []
    for number, (x, y) in enumerate(middle):
        before, after = middle[max(number - 1, 0)], middle[min(number + 1, len(middle) - 1)]
        dx, dy = after[0] - before[0], after[1] - before[1]
        length = math.hypot(dx, dy) or 1.0
        nx, ny = -dy / length * float(halves[number]), dx / length * float(halves[number])
        left.append((x + nx, y + ny))
        right.append((x - nx, y - ny))
    return [*left, *reversed(right)]


def ellipse(centre: Point, rx: float, ry: float, start: float = 0.0, end: float = 360.0) -> Outline:
    """The arc from ``start`` to ``end`` (degrees, clockwise from the right); closed by default."""
    angles = np.radians(np.linspace(start, end, 36))
    return [(centre[0] + rx * math.cos(a), centre[1] + ry * math.sin(a)) for a in angles]


def box(x0: float, y0: float, x1: float, y1: float) -> Outline:
    """A rectangle."""
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def star(centre: Point, radius: float, points: int, inner: float) -> Outline:
    """A star; with ``inner`` 1 a regular polygon of twice as many corners."""
    found: Outline = []
    for number in range(2 * points):
        angle = math.pi * number / points - math.pi / 2
        r = radius * (inner if number % 2 else 1.0)
        found.append((centre[0] + r * math.cos(angle), centre[1] + r * math.sin(angle)))
    return found


def mirrored(outline: Sequence[Point]) -> Outline:
    """The outline on the other side of the body."""
    return [(-x, y) for x, y in outline]


def moved(outline: Sequence[Point], to: Point, size: float = 1.0, turn: float = 0.0) -> Outline:
    """An outline drawn around (0, 0), put elsewhere."""
    return Placement(size, to[0], to[1], turn).pixels(outline)
