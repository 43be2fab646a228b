"""Trousers, skirts and what is draped: saree, lehenga, kimono."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sandbox.second_world.canvas import Panel
from sandbox.second_world.figure import Figure
from sandbox.second_world.geometry import Outline, Point, box, curve, ellipse, tube
from sandbox.second_world.styles import Style
from sandbox.second_world.trimmings import (
    accent,
    buttons,
    hem_band,
    hem_line,
    motif_panels,
    place_of,
    placed_print,
    pocket,
)
from sandbox.second_world.upper import jumpsuit_top

_LEGS: Mapping[str, tuple[float, Sequence[float]]] = {
    "jeans": (0.97, (0.46, 0.31, 0.26)),
    "trousers": (1.0, (0.48, 0.36, 0.32)),
    "shorts": (0.42, (0.5, 0.46, 0.44)),
    "leggings": (0.95, (0.41, 0.27, 0.17)),
    "joggers": (0.96, (0.5, 0.4, 0.24)),
    "palazzo": (1.0, (0.48, 0.52, 0.66)),
    "jumpsuit": (0.98, (0.48, 0.4, 0.36)),
}
"""Length as a share of the leg; half-widths at hip, knee and hem."""


def trousers_panels(figure: Figure, style: Style) -> list[Panel]:
    """Anything with two legs."""
    share, widths = _LEGS[style.category]
    wider = 1 + 0.08 * style.fit
    found = []
    for side, leg in zip((-1, 1), figure.legs, strict=True):
        hip, knee, ankle = leg
        end: Point = (hip[0] + share * (ankle[0] - hip[0]), hip[1] + share * (ankle[1] - hip[1]))
        bend = knee if share > 0.6 else (0.5 * (hip[0] + end[0]), 0.5 * (hip[1] + end[1]))
        top: Point = (side * 0.5 * figure.waist, figure.waist_y)
        start: Point = (side * 0.5 * figure.hip, figure.hip_y)
        half = [wider * w * figure.hip / 0.85 for w in widths]
        girths = (0.5 * figure.waist + 0.05, half[0], 0.5 * (half[0] + half[1]), half[1], half[2])
        thigh = (0.5 * (start[0] + bend[0]), 0.5 * (start[1] + bend[1]))
        found.append(Panel(tube((top, start, thigh, bend, end), girths), None, folds=0.6))
        found += hem_band(style, (end[0] - half[2], end[1]), (end[0] + half[2], end[1]), 0.2)
        crease = [(bend[0], start[1] + 0.4), (bend[0] + 0.02, bend[1]), (end[0], end[1] - 0.1)]
        if style.details.hem == 1:
            found.append(
                Panel(tube(crease, (0.015, 0.015, 0.015)), accent(style), folds=0, opacity=0.6)
            )
        if style.details.hem == 2:
            outer = [
                (x + side * 0.8 * h, y) for (x, y), h in zip((start, bend, end), half, strict=True)
            ]
            found.append(Panel(tube(outer, (0.05, 0.05, 0.05)), accent(style), folds=0))
    return [*found, *_waistband(figure, style), *_seat(figure, style)]


def _seat(figure: Figure, style: Style) -> list[Panel]:
    found = placed_print(style, (-0.42, figure.hip_y + 0.7), 0.24)
    at = place_of(
        style.details,
        (0.45, figure.hip_y + 0.55),
        (-0.45, figure.hip_y + 0.55),
        (0.5, figure.hip_y),
    )
    found += motif_panels(style, at, 0.13)
    if style.details.pocket:
        for side in (-1, 1):
            x = side * figure.hip
            slit: Outline = [
                (0.95 * x, figure.hip_y - 0.35),
                (0.55 * x, figure.hip_y - 0.5),
                (0.52 * x, figure.hip_y - 0.46),
                (0.92 * x, figure.hip_y - 0.28),
            ]
            found.append(Panel(slit, accent(style), folds=0, opacity=0.7))
    return found


def _waistband(figure: Figure, style: Style) -> list[Panel]:
    w, y = figure.waist + 0.06, figure.waist_y
    band = Panel(box(-w, y, w, y + 0.14), accent(style) if style.details.trim else None, folds=0.1)
    fly = Panel(
        box(-0.012, y + 0.14, 0.012, figure.hip_y + 0.15), accent(style), folds=0, opacity=0.5
    )
    return [band, fly, *buttons(style, (0.0, y + 0.07), (0.0, y + 0.5), 0.05)]


def skirt_panels(
    figure: Figure, style: Style, flare: float = 0.5, length: float = 0.5
) -> list[Panel]:
    """A skirt; ``length`` as a share of the leg."""
    y = figure.waist_y
    hem = figure.hip_y + length * (figure.ankle_y - figure.hip_y)
    w, h = figure.waist + 0.03, figure.hip + 0.08
    x = h + flare * (hem - figure.hip_y) * 0.5
    side = [(w, y), (h, figure.hip_y), (x, hem)]
    edge = hem_line((-x, hem), (x, hem), style.details.hem)
    outline: Outline = [*curve(side), *edge, *[(-a, b) for a, b in reversed(curve(side))]]
    found = [
        Panel(outline, None, folds=1.0),
        *hem_band(style, (-x + 0.03, hem), (x - 0.03, hem), 0.2),
    ]
    found.append(
        Panel(box(-w, y, w, y + 0.14), accent(style) if style.details.trim else None, folds=0.1)
    )
    found += buttons(style, (0.3, y + 0.25), (0.42, min(hem - 0.3, y + 1.8)))
    found += placed_print(style, (0.0, 0.5 * (y + hem) + 0.2), 0.4)
    at = place_of(style.details, (-0.45, hem - 0.45), (0.45, y + 0.8), (0.0, hem - 0.5))
    return [*found, *motif_panels(style, at, 0.16), *pocket(style, (-0.4, y + 0.7), 0.18)]


def skirt_of(figure: Figure, style: Style) -> list[Panel]:
    """The category skirt: its length and flare go with the fit."""
    return skirt_panels(figure, style, 0.25 + 0.25 * style.fit, 0.45 + 0.2 * style.fit)


def jumpsuit_panels(figure: Figure, style: Style) -> list[Panel]:
    """Top and trousers of one cloth."""
    return [*trousers_panels(figure, style), *jumpsuit_top(figure, style)]


def lehenga_panels(figure: Figure, style: Style) -> list[Panel]:
    """A wide skirt with borders under a short blouse, and a veil over one shoulder."""
    skirt = skirt_panels(figure, style, 0.95, 0.97)
    return [
        *_borders(figure, style, 0.97, 0.95),
        *skirt[:1],
        *_borders(figure, style, 0.97, 0.95),
        *skirt[1:],
        *_choli(figure, style),
        *_veil(figure, style, 0.3),
    ]


def saree_panels(figure: Figure, style: Style) -> list[Panel]:
    """A narrow pleated skirt, a blouse, and the end of the cloth over the left shoulder."""
    skirt = skirt_panels(figure, style, 0.25, 0.99)
    pleats = [
        Panel(
            box(x - 0.012, figure.hip_y, x + 0.012, figure.ankle_y - 0.2),
            (0.1, 0.08, 0.08),
            0,
            opacity=0.25,
        )
        for x in (-0.2, -0.08, 0.04, 0.16)
    ]
    return [
        skirt[0],
        *_borders(figure, style, 0.99, 0.25),
        *skirt[1:],
        *pleats,
        *_choli(figure, style),
        *_veil(figure, style, 0.62),
    ]


def _choli(figure: Figure, style: Style) -> list[Panel]:
    c, y = figure.chest + 0.03, 0.72 * figure.waist_y
    blouse: Outline = [
        (-0.36, 0.04),
        *curve([(-0.3, 0.3), (0, 0.5), (0.3, 0.3)]),
        (0.36, 0.04),
        (figure.shoulder, 0.2),
        (c, 0.75),
        (c * 0.95, y),
        (-c * 0.95, y),
        (-c, 0.75),
        (-figure.shoulder, 0.2),
    ]
    found = [Panel(blouse, style.second, folds=0.3)]
    for shoulder, elbow, _ in figure.arms:
        end = (0.45 * shoulder[0] + 0.55 * elbow[0], 0.45 * shoulder[1] + 0.55 * elbow[1])
        middle = (0.5 * (shoulder[0] + end[0]), 0.5 * (shoulder[1] + end[1]))
        found.append(
            Panel(tube((shoulder, middle, end), (0.24, 0.22, 0.2)), style.second, over_arms=True)
        )
    return found


def _veil(figure: Figure, style: Style, width: float) -> list[Panel]:
    low = figure.hip_y
    path = [
        (figure.hip + 0.02, low),
        (0.25, 0.5 * low),
        (-0.45, 0.12),
        (-figure.shoulder * 0.75, 0.1),
    ]
    end = [
        (-figure.shoulder * 0.75, 0.1),
        (-figure.chest - 0.1, 0.9),
        (-figure.chest - 0.15, low + 0.6),
    ]
    drape = tube(path, (0.5 * width, 0.6 * width, 0.36, 0.24))
    edge = [(x + 0.1, y + 0.5 * width) for x, y in path[:3]]
    return [
        Panel(tube(end, (0.2, 0.26, 0.3)), None, folds=1.0),
        Panel(drape, None, folds=1.0),
        Panel(tube(edge, (0.06, 0.06, 0.05)), accent(style), folds=0.2),
        *motif_panels(style, (0.1, 0.45 * low), 0.13),
    ]


def _borders(figure: Figure, style: Style, length: float, flare: float) -> list[Panel]:
    hem = figure.hip_y + length * (figure.ankle_y - figure.hip_y)
    found = []
    for number in range(1 + style.details.hem % 3):
        y = hem - 0.15 - 0.34 * number
        x = figure.hip + 0.04 + flare * (y - figure.hip_y) * 0.47
        found.append(Panel(box(-x, y - 0.07, x, y + 0.07), accent(style), folds=0.5))
    return found


def kimono_panels(figure: Figure, style: Style) -> list[Panel]:
    """A straight robe with a crossed collar, wide hanging sleeves and a sash."""
    hem, w, h = figure.ankle_y - 0.05, figure.waist + 0.16, figure.hip + 0.16
    side = [
        (0.34, 0.0),
        (figure.shoulder + 0.12, 0.2),
        (w, figure.waist_y),
        (h, figure.hip_y),
        (h - 0.05, hem),
    ]
    robe: Outline = [
        (0, 0.7),
        *curve(side),
        *hem_line((0.05 - h, hem), (h - 0.05, hem), style.details.hem),
        *[(-x, y) for x, y in reversed(curve(side))],
    ]
    found = [
        Panel(robe, None, folds=0.4),
        Panel(
            [(0.1, figure.hip_y), (0.14, figure.hip_y), (-0.2, hem), (-0.26, hem)],
            (0.1, 0.1, 0.1),
            0,
            opacity=0.3,
        ),
    ]
    for side_, top in ((1, 0.7), (-1, 0.95)):
        collar: Outline = [
            (side_ * 0.26, -0.05),
            (side_ * 0.42, -0.02),
            (-side_ * 0.12, top + 0.35),
            (-side_ * 0.24, top + 0.1),
        ]
        found.append(
            Panel(collar, accent(style) if style.details.trim else style.second, folds=0.1)
        )
    y = figure.waist_y
    found.append(Panel(box(-w - 0.03, y - 0.42, w + 0.03, y + 0.25), style.second, folds=0.2))
    found.append(Panel(box(-w - 0.03, y - 0.12, w + 0.03, y - 0.04), accent(style), folds=0.1))
    for (sx, sy), (ex, ey), (wx, wy) in figure.arms:
        out = 1 if sx > 0 else -1
        bag = figure.pose in ("flat", "relaxed", "stride", "bag")
        drop = 1.1 if bag else 0.35
        mid = (ex + wx) / 2, (ey + wy) / 2
        sleeve: Outline = [
            (sx - out * 0.1, sy - 0.1),
            (ex + out * 0.22, ey),
            (mid[0] + out * 0.2, mid[1]),
            (mid[0] - out * 0.35, mid[1] + drop),
            (sx - out * 0.15, ey + 0.5 * drop),
        ]
        found.append(Panel(sleeve, None, folds=0.5, over_arms=True))
    found += placed_print(style, (0.3, figure.hip_y + 0.9), 0.3)
    at = place_of(style.details, (-0.4, hem - 0.9), (0.45, hem - 1.2), (0.42, 0.7))
    return [
        *found,
        *motif_panels(style, at, 0.2),
        Panel(ellipse((0, y - 0.08), 0.07, 0.05), accent(style), 0),
    ]
