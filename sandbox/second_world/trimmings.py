"""What hidden details look like: motifs, rows of buttons, hems, pockets, placed prints."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.second_world.canvas import Panel
from sandbox.second_world.geometry import (
    Outline,
    Point,
    box,
    curve,
    ellipse,
    moved,
    star,
)
from sandbox.second_world.shades import RGB
from sandbox.second_world.styles import Details, Style

_DARK: RGB = (0.12, 0.1, 0.1)
_PALE: RGB = (0.95, 0.93, 0.88)


def accent(style: Style) -> RGB:
    """The colour of buttons, motifs and seams: the trim, or what stands out on the cloth."""
    if style.details.trim is not None:
        return style.details.trim
    return _PALE if sum(style.shade) < 1.4 else _DARK


def motif_panels(style: Style, at: Point, size: float, over_arms: bool = False) -> list[Panel]:
    """The style's motif around ``at``; none for motif 0."""
    outlines = _motif(style.details.motif)
    colour = accent(style)
    return [Panel(moved(one, at, size), colour, folds=0.2, over_arms=over_arms) for one in outlines]


def _motif(number: int) -> list[Outline]:
    heart: Outline = [(0, 0.9), *curve([(0, 0.9), (0.95, -0.1), (0.5, -0.75), (0, -0.3)])]
    shapes: Sequence[list[Outline]] = (
        [],
        [star((0, 0), 1.0, 5, 0.42)],
        [[*heart, *[(-x, y) for x, y in reversed(heart)]]],
        [ellipse((0, 0), 0.8, 0.8)],
        [box(-1, -0.7, 1, -0.3), box(-1, 0.0, 1, 0.4), box(-1, 0.7, 1, 1.1)],
        [
            [
                *curve([(-0.9, 0.8), (-0.5, -0.4), (0.9, -0.9)]),
                *curve([(0.9, -0.9), (0.5, 0.5), (-0.9, 0.8)]),
            ]
        ],
        [[*ellipse((0, 0), 0.9, 0.9), *reversed(ellipse((0, 0), 0.5, 0.5))]],
        [[(0, -1.1), (0.7, 0), (0, 1.1), (-0.7, 0)]],
    )
    return shapes[number % len(shapes)]


def place_of(details: Details, *places: Point) -> Point:
    """Where the motif is."""
    return places[details.place % len(places)]


def buttons(style: Style, top: Point, bottom: Point, size: float = 0.055) -> list[Panel]:
    """A row of as many buttons as the style has."""
    count = style.details.buttons
    colour = accent(style)
    found = []
    for number in range(count):
        t = number / max(count - 1, 1)
        at = (top[0] + t * (bottom[0] - top[0]), top[1] + t * (bottom[1] - top[1]))
        found.append(Panel(ellipse(at, size, size), colour, folds=0, gloss=0.6))
    return found


def hem_line(left: Point, right: Point, hem: int) -> Outline:
    """The lower edge from ``right`` to ``left``, by the form of the hem."""
    (x0, y0), (x1, y1) = left, right
    middle = (0.5 * (x0 + x1), 0.5 * (y0 + y1))
    if hem == 1:
        return curve(
            [
                (x1, y1 - 0.12),
                (0.5 * (middle[0] + x1), y1 + 0.1),
                (middle[0], middle[1] + 0.16),
                (0.5 * (middle[0] + x0), y0 + 0.1),
                (x0, y0 - 0.12),
            ]
        )
    if hem == 2:
        slit = x1 - 0.12 * (x1 - x0)
        return [(x1, y1), (slit + 0.05, y1), (slit, y1 - 0.4), (slit - 0.07, y1), (x0, y0)]
    return [(x1, y1), middle, (x0, y0)]


def hem_band(style: Style, left: Point, right: Point, height: float = 0.14) -> list[Panel]:
    """The band of a banded hem, or a thin trim."""
    details = style.details
    if details.hem != 3 and details.trim is None:
        return []
    h = height if details.hem == 3 else 0.4 * height
    (x0, y0), (x1, y1) = left, right
    lift = 0.3 if details.hem in (1, 2) else 0.0
    outline: Outline = [(x0, y0 - h - lift), (x1, y1 - h - lift), (x1, y1 - lift), (x0, y0 - lift)]
    return [Panel(outline, accent(style), folds=0.3)]


def pocket(style: Style, at: Point, size: float) -> list[Panel]:
    """A patch pocket, outlined by its seam."""
    if not style.details.pocket:
        return []
    x, y = at
    edge = Panel(
        box(x - size, y - size, x + size, y + 1.2 * size), accent(style), folds=0, opacity=0.5
    )
    inner = 0.86 * size
    return [edge, Panel(box(x - inner, y - inner, x + inner, y + 1.06 * size), None, folds=0.2)]


def placed_print(style: Style, at: Point, size: float) -> list[Panel]:
    """The large print of a graphic style: two shapes, by its details."""
    if style.pattern != "graphic":
        return []
    details = style.details
    grounds = (
        ellipse((0, 0), 1.0, 1.0),
        star((0, 0), 1.1, 4 + details.buttons % 4, 0.75),
        box(-1.0, -0.8, 1.0, 0.8),
    )
    ground = moved(grounds[details.place % len(grounds)], at, size)
    figure = _motif(1 + (details.motif + details.hem) % 7)
    return [
        Panel(ground, style.second, folds=0.3),
        *(Panel(moved(one, at, 0.55 * size), accent(style), folds=0.2) for one in figure),
    ]
