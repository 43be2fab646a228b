"""Pictures of looks: a person in a scene who wears one style per department."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from sandbox.second_world.canvas import SUPERSAMPLING, Canvas, Panel
from sandbox.second_world.figure import Figure, arm_outlines, body_outlines, pose_figure
from sandbox.second_world.geometry import (
    Outline,
    Placement,
    Point,
    curve,
    ellipse,
    mirrored,
    moved,
    tube,
)
from sandbox.second_world.photograph import clothing_panels
from sandbox.second_world.scene import draw_scene
from sandbox.second_world.shades import RGB
from sandbox.second_world.small_things import DRAWN
from sandbox.second_world.styles import KINDS, Style

SIZE = (288, 448)
"""Width and height of a look's picture, in pixels."""

VISIBLE = 40
"""Pixels of the final picture: fewer of a watch under a sleeve say nothing."""

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in fractions of the picture."""

_LABELS = {department: number for number, department in enumerate(KINDS, start=1)}
_CLOTHES = ("bottom", "top", "dress", "ethnic_wear", "outerwear")
"""From the body outwards."""

_SKINS: tuple[RGB, ...] = (
    (0.96, 0.82, 0.72),
    (0.87, 0.69, 0.55),
    (0.72, 0.52, 0.38),
    (0.54, 0.37, 0.26),
    (0.38, 0.25, 0.18),
)
_HAIRS: tuple[RGB, ...] = (
    (0.1, 0.08, 0.08),
    (0.25, 0.15, 0.1),
    (0.55, 0.38, 0.2),
    (0.8, 0.66, 0.4),
    (0.5, 0.2, 0.12),
    (0.6, 0.6, 0.62),
)


@dataclass(frozen=True, slots=True)
class DrawnLook:
    """A picture, and where each department is visible in it."""

    picture: Image.Image
    boxes: dict[str, Box]
    """Departments of which less than VISIBLE pixels are seen are missing."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who wears the look."""

    figure: Figure
    skin: RGB
    hair: RGB
    long_hair: bool


def sample_person(rng: random.Random, female: bool, pose: str | None = None) -> Person:
    """A random person; ``pose`` is drawn by default."""
    figure = pose_figure(rng, female, pose)
    long_hair = female and rng.random() < 0.7
    return Person(figure, rng.choice(_SKINS), rng.choice(_HAIRS), long_hair)


def draw_look(
    worn: Mapping[str, Style], person: Person, rng: random.Random, size: tuple[int, int] = SIZE
) -> DrawnLook:
    """Draw the person in the styles of ``worn``, by department."""
    canvas, figure = Canvas(draw_scene(size, rng)), person.figure
    painter = _Painter(canvas, _stand(figure, size, rng), rng.randrange(10**6))
    if person.long_hair:
        painter.skin([_long_hair(figure)], person.hair)
    painter.skin(body_outlines(figure), person.skin)
    if "footwear" in worn:
        painter.wear(worn["footwear"], _shoes(worn["footwear"], figure))
    layers = [(worn[d], clothing_panels(figure, worn[d])) for d in _CLOTHES if d in worn]
    for style, panels in layers:
        if style.department == "outerwear":
            _wear_belt(painter, worn, figure)
        painter.wear(style, (panel for panel in panels if not panel.over_arms))
    if "outerwear" not in worn:
        _wear_belt(painter, worn, figure)
    necklace = worn.get("jewellery")
    if necklace is not None and necklace.category == "necklace":
        painter.wear(necklace, _put(DRAWN["jewellery"](necklace), (0.0, 0.0)))
    if "scarf" in worn:
        painter.wear(worn["scarf"], DRAWN["scarf"](worn["scarf"]))
    painter.skin(arm_outlines(figure), person.skin)
    for style, panels in layers:
        painter.wear(style, (panel for panel in panels if panel.over_arms))
    _paint_head(painter, worn, person)
    _wear_on_hands(painter, worn, figure)
    return DrawnLook(canvas.picture(), _boxes(canvas, worn))


@dataclass(frozen=True, slots=True)
class _Painter:
    canvas: Canvas
    placement: Placement
    seed: int

    def skin(self, outlines: Iterable[Outline], colour: RGB) -> None:
        for outline in outlines:
            self.canvas.paint(Panel(outline, colour, folds=0), None, self.placement, 0, 0)

    def wear(self, style: Style, panels: Iterable[Panel]) -> None:
        label = _LABELS[style.department]
        for number, panel in enumerate(panels):
            self.canvas.paint(panel, style, self.placement, label, self.seed + number)


def _put(
    panels: Iterable[Panel], at: Point, wide: float = 1.0, high: float = 1.0, turn: float = 0.0
) -> list[Panel]:
    """Panels drawn around (0, 0), stretched, turned and put at a place of the body."""
    return [
        replace(one, outline=moved([(wide * x, high * y) for x, y in one.outline], at, 1.0, turn))
        for one in panels
    ]


def _stand(figure: Figure, size: tuple[int, int], rng: random.Random) -> Placement:
    """Most people fill the height; the farthest stand at two thirds of it."""
    columns, rows = (SUPERSAMPLING * side for side in size)
    share = rng.uniform(0.66, 0.95) if rng.random() < 0.3 else rng.uniform(0.88, 0.95)
    scale = share * rows / (figure.ankle_y + 0.45 + 1.5)
    ground = rows * rng.uniform(0.95, 0.98)
    x = columns * rng.uniform(0.42, 0.58)
    return Placement(scale, x, ground - scale * (figure.ankle_y + 0.45), rng.uniform(-0.02, 0.02))


def _shoes(style: Style, figure: Figure) -> list[Panel]:
    found: list[Panel] = []
    drawn = DRAWN["footwear"](style)
    for side, (_, _, ankle) in zip((-1, 1), figure.legs, strict=True):
        found += _put(drawn, ankle, 0.72 * side, 0.95)
    return found


def _wear_belt(painter: _Painter, worn: Mapping[str, Style], figure: Figure) -> None:
    if "belt" in worn:
        panels = DRAWN["belt"](worn["belt"])
        painter.wear(worn["belt"], _put(panels, (0.0, figure.waist_y + 0.05), figure.waist + 0.1))


def _long_hair(figure: Figure) -> Outline:
    x, y = figure.head
    return curve([(x, y - 0.55), (x + 0.5, y - 0.1), (x + 0.56, 0.5), (x, 0.3), (x - 0.56, 0.5),
                  (x - 0.5, y - 0.1), (x, y - 0.55)])  # fmt: skip


def _paint_head(painter: _Painter, worn: Mapping[str, Style], person: Person) -> None:
    x, y = person.figure.head
    skin, dark = person.skin, (0.14, 0.1, 0.09)
    shade = (0.8 * skin[0], 0.72 * skin[1], 0.7 * skin[2])
    painter.skin([ellipse((x + s * 0.37, y + 0.03), 0.07, 0.11) for s in (-1, 1)], skin)
    painter.skin([ellipse((x, y), 0.37, 0.5)], skin)
    painter.skin(
        [ellipse((x + s * 0.15, y - 0.02), 0.055, 0.03) for s in (-1, 1)], (0.97, 0.97, 0.95)
    )
    painter.skin([ellipse((x + s * 0.15, y - 0.02), 0.028, 0.03) for s in (-1, 1)], dark)
    brow: Outline = [(0.07, -0.11), (0.16, -0.15), (0.24, -0.11), (0.16, -0.12)]
    painter.skin([moved(one, (x, y)) for one in (brow, mirrored(brow))], person.hair)
    painter.skin(
        [tube([(x, y - 0.02), (x + 0.03, y + 0.12), (x - 0.03, y + 0.15)], (0.012, 0.02, 0.012))],
        shade,
    )
    painter.skin([ellipse((x, y + 0.27), 0.1, 0.028)], (0.66, 0.3, 0.3))
    fringe = [
        *ellipse((x, y - 0.08), 0.41, 0.48, 180, 360),
        (x + 0.36, y - 0.02),
        (x + 0.2, y - 0.3),
        (x - 0.3, y - 0.22),
        (x - 0.37, y),
    ]
    painter.skin([fringe], person.hair)
    jewel = worn.get("jewellery")
    if jewel is not None and jewel.category == "earrings":
        painter.wear(jewel, _put(DRAWN["jewellery"](jewel), (x, y + 0.13)))
    for department, lift in (("eyewear", 0.02), ("headwear", 0.12)):
        if department in worn:
            panels = DRAWN[department](worn[department])
            painter.wear(worn[department], _put(panels, (x, y - lift)))


def _wear_on_hands(painter: _Painter, worn: Mapping[str, Style], figure: Figure) -> None:
    (_, _, left), (shoulder, elbow, right) = figure.arms
    if "bag" in worn:
        style = worn["bag"]
        panels = DRAWN["bag"](style)
        carried = figure.pose in ("relaxed", "stride", "bag") and style.category != "backpack"
        at = right if carried else (shoulder[0] - 0.1, figure.waist_y - 0.7)
        size = 0.85 if carried else 0.8
        painter.wear(style, _put(panels, (at[0] + 0.1, at[1] + 0.05), size, size))
    for department, kind, wrist in (("watch", "", left), ("jewellery", "bangles", right)):
        style_or_none = worn.get(department)
        if style_or_none is None or (kind and style_or_none.category != kind):
            continue
        before = figure.arms[0][1] if department == "watch" else elbow
        along = math.atan2(wrist[1] - before[1], wrist[0] - before[0]) - math.pi / 2
        at = (wrist[0] + 0.06 * (before[0] - wrist[0]), wrist[1] + 0.06 * (before[1] - wrist[1]))
        across = along + (math.pi / 2 if department == "watch" else 0.0)
        high = 0.3 if department == "watch" else 1.0
        panels = DRAWN[department](style_or_none)
        painter.wear(style_or_none, _put(panels, at, 0.8, high, across))


def _boxes(canvas: Canvas, worn: Iterable[str]) -> dict[str, Box]:
    rows, columns = canvas.labels.shape
    boxes: dict[str, Box] = {}
    for department in worn:
        ys, xs = np.nonzero(canvas.labels == _LABELS[department])
        if len(ys) >= VISIBLE * SUPERSAMPLING**2:
            boxes[department] = (
                float(xs.min() / columns),
                float(ys.min() / rows),
                float((xs.max() + 1) / columns),
                float((ys.max() + 1) / rows),
            )
    return boxes
