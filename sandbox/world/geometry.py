"""Paths in body coordinates, and their placement on a canvas.

Body coordinates: x = 0 is the middle of the body, growing to the picture's right; y = 0 is the
crown of the head and y = 200 the floor. Garments and bodies are drawn in the same coordinates, so
a product photograph and a look share one drawing.
"""

import math
from dataclasses import dataclass

Point = tuple[float, float]
Path = list[Point]


_SHOULDER_STEPS = (0.1, 0.25, 0.45)  # positions and factors of the rounding at the start of a limb
_SHOULDER_ROUNDING = (0.45, 0.74, 0.9, 0.98)


def ellipse(
    cx: float,
    cy: float,
    rx: float,
    ry: float,
    arc: tuple[float, float] = (0.0, math.tau),
    steps: int = 22,
) -> Path:
    """The part of an ellipse between two angles (radians; pi..2 pi is the upper half)."""
    start, end = arc
    angles = (start + (end - start) * i / steps for i in range(steps + 1))
    return [(cx + rx * math.cos(a), cy + ry * math.sin(a)) for a in angles]


def dome(cx: float, cy: float, rx: float, ry: float) -> Path:
    """The upper half of an ellipse that stands on y = cy."""
    return ellipse(cx, cy, rx, ry, (math.pi, math.tau))


def mirrored(path: Path) -> Path:
    """Mirror the path to the other side of the body."""
    return [(-x, y) for x, y in path]


def symmetric(right: Path) -> Path:
    """A closed outline from its right half, given from top to bottom."""
    return right + [(-x, y) for x, y in reversed(right)]


def towards(a: Point, b: Point, t: float) -> Point:
    """The point a fraction `t` of the way from `a` to `b`."""
    return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t


def rounded(path: Path, radius: float = 4.0, closed: bool = True, steps: int = 4) -> Path:
    """The path with each corner replaced by a curve that begins `radius` before it."""
    result: Path = []
    n = len(path)
    for i, corner in enumerate(path):
        if not closed and i in (0, n - 1):
            result.append(corner)
            continue
        before, after = path[i - 1], path[(i + 1) % n]
        a = towards(corner, before, min(0.45, radius / (math.dist(corner, before) or 1.0)))
        b = towards(corner, after, min(0.45, radius / (math.dist(corner, after) or 1.0)))
        for j in range(steps + 1):
            t = j / steps
            result.append(towards(towards(a, corner, t), towards(corner, b, t), t))
    return result


def _between(path: Path, start: float, end: float) -> Path:
    """The section of a path between two fractions of its length."""
    lengths = [math.dist(path[i], path[i + 1]) for i in range(len(path) - 1)]
    low, high = start * sum(lengths), end * sum(lengths)
    part: Path = []
    walked = 0.0
    for i, length in enumerate(lengths):
        begin, stop = max(low, walked), min(high, walked + length)
        if begin < stop:
            if not part:
                part.append(towards(path[i], path[i + 1], (begin - walked) / length))
            part.append(towards(path[i], path[i + 1], (stop - walked) / length))
        walked += length
    return part


def limb(
    joints: Path, width: float, end_width: float, start: float = 0.0, end: float = 1.0
) -> Path:
    """A limb or sleeve around the joints, half widths given at both ends, cut to start..end."""
    line = _between(rounded(joints, 12.0, closed=False, steps=5), start, end)
    if start == 0.0:
        line[1:1] = [towards(line[0], line[1], t) for t in _SHOULDER_STEPS]
    left: Path = []
    right: Path = []
    last = len(line) - 1
    for i, (x, y) in enumerate(line):
        a, b = line[max(0, i - 1)], line[min(last, i + 1)]
        along = math.dist(a, b) or 1.0
        nx, ny = (a[1] - b[1]) / along, (b[0] - a[0]) / along
        half = width + (end_width - width) * i / max(1, last)
        if start == 0.0 and i <= len(_SHOULDER_STEPS):
            half *= _SHOULDER_ROUNDING[i]
        left.append((x + nx * half, y + ny * half))
        right.append((x - nx * half, y - ny * half))
    return left + right[::-1]


@dataclass(frozen=True, slots=True)
class Build:
    """How a body departs from the average: factors around 1, hips and sway around 0."""

    girth: float = 1.0
    legs: float = 1.0
    hips: float = 0.0
    sway: float = 0.0


@dataclass(frozen=True, slots=True)
class Placement:
    """Converts body coordinates to canvas pixels: build, then scale and rotation, then shift.

    `bend` (body units) and `phase` displace points along slow waves, like the small distortions of
    a generated picture.
    """

    scale: float
    shift: Point
    turn: float = 0.0
    stretch: float = 1.0
    build: Build = Build()
    bend: float = 0.0
    phase: float = 0.0

    def __call__(self, path: Path) -> Path:
        c, s = math.cos(self.turn) * self.scale, math.sin(self.turn) * self.scale
        dx, dy = self.shift
        placed: Path = []
        for x, y in path:
            x, y = self._shaped(x, y)
            placed.append((dx + c * x - s * y, dy + s * x + c * y))
        return placed

    def _shaped(self, x: float, y: float) -> Point:
        build = self.build
        below_neck = min(1.0, max(0.0, (y - 38.0) / 14.0))
        hips = build.hips * math.exp(-(((y - 102.0) / 22.0) ** 2))
        x *= self.stretch * (1.0 + below_neck * (build.girth - 1.0 + hips))
        x += build.sway * below_neck * math.sin((y - 50.0) / 48.0)
        if y > 100.0:
            y = 100.0 + (y - 100.0) * build.legs
        if self.bend:
            x += self.bend * math.sin(y / 17.0 + self.phase)
            y += self.bend * math.sin(x / 13.0 + self.phase * 1.7)
        return x, y
