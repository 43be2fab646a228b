"""Tops, dresses and outerwear: a torso with sleeves, and a skirt if it is long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.second_world.canvas import Panel
from sandbox.second_world.figure import Figure, Limb
from sandbox.second_world.geometry import Outline, Point, box, curve, ellipse, tube
from sandbox.second_world.shades import RGB
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

_LINING: RGB = (0.2, 0.18, 0.18)


@dataclass(frozen=True, slots=True)
class Cut:
    """How a category is cut."""

    length: float
    """0 waist, 1 hip, 2 knee, 3 ankle."""
    sleeve: float
    """0 none, 0.4 short, 1 to the wrist."""
    neck: str
    """crew, v, collar, hood, lapels, straps, band, wrap."""
    ease: float = 0.06
    flare: float = 0.0
    front: str = "closed"
    """closed, placket (a short row of buttons), buttoned, open."""
    gathered: bool = False
    """At the waist."""


CUTS: Mapping[str, Cut] = {
    "t-shirt": Cut(1.0, 0.4, "crew"),
    "shirt": Cut(1.12, 1.0, "collar", front="buttoned"),
    "blouse": Cut(0.85, 0.75, "v", 0.1, gathered=True),
    "sweater": Cut(1.02, 1.0, "crew", 0.14),
    "tank top": Cut(0.95, 0.0, "straps", 0.0),
    "hoodie": Cut(1.05, 1.0, "hood", 0.2),
    "polo shirt": Cut(1.02, 0.42, "collar", front="placket"),
    "crop top": Cut(0.12, 0.3, "crew", 0.0),
    "tunic": Cut(1.5, 0.7, "band", 0.12, 0.15, front="placket"),
    "cardigan": Cut(1.1, 1.0, "v", 0.14, front="open"),
    "sundress": Cut(1.8, 0.0, "straps", 0.0, 0.7, gathered=True),
    "shirt dress": Cut(1.9, 0.6, "collar", 0.05, 0.35, front="buttoned", gathered=True),
    "evening gown": Cut(3.0, 0.0, "straps", -0.02, 0.75, gathered=True),
    "midi dress": Cut(2.3, 0.45, "crew", 0.02, 0.5, gathered=True),
    "wrap dress": Cut(2.1, 0.8, "wrap", 0.03, 0.4, gathered=True),
    "coat": Cut(2.1, 1.0, "lapels", 0.2, 0.2, front="open"),
    "jacket": Cut(0.98, 1.0, "band", 0.2, front="buttoned"),
    "blazer": Cut(1.15, 1.0, "lapels", 0.13, front="open"),
    "vest": Cut(1.0, 0.0, "v", 0.1, front="buttoned"),
    "parka": Cut(1.55, 1.0, "hood", 0.28, 0.1, front="buttoned"),
    "kurta": Cut(2.05, 0.95, "band", 0.1, 0.25, front="placket"),
    "sherwani": Cut(2.1, 1.0, "band", 0.13, 0.15, front="buttoned"),
}


def upper_panels(figure: Figure, style: Style) -> list[Panel]:
    """The garment as worn by ``figure``."""
    cut = CUTS[style.category]
    ease = cut.ease + 0.06 * style.fit
    hem = _hem_height(figure, cut.length)
    found = [] if cut.neck in ("straps", "wrap") else [_inside_of_neck(style)]
    found += _hood() if cut.neck == "hood" else []
    found += _torso(figure, style, cut, ease, hem)
    for arm in figure.arms:
        found += _sleeve(arm, style, cut, ease)
    return found


def jumpsuit_top(figure: Figure, style: Style) -> list[Panel]:
    """The upper half of a jumpsuit."""
    cut = Cut(0.9, 0.3, "v", 0.05, front="placket")
    found = [_inside_of_neck(style), *_torso(figure, style, cut, 0.05, _hem_height(figure, 0.9))]
    for arm in figure.arms:
        found += _sleeve(arm, style, cut, 0.05)
    return found


def _hem_height(figure: Figure, length: float) -> float:
    knee = 0.5 * (figure.hip_y + figure.ankle_y)
    stations = (figure.waist_y, figure.hip_y + 0.1, knee + 0.1, figure.ankle_y)
    low = min(int(length), 2)
    return stations[low] + (length - low) * (stations[low + 1] - stations[low])


def _torso(figure: Figure, style: Style, cut: Cut, ease: float, hem: float) -> list[Panel]:
    side = _side(figure, cut, ease, hem)
    left, right = (-side[-1][0], hem), (side[-1][0], hem)
    depth = {"v": 0.75, "wrap": 1.0, "lapels": 1.1, "straps": 0.45, "collar": 0.3}.get(
        cut.neck, 0.2
    )
    neck = [(-0.34, 0.03), (-0.2, 0.6 * depth), (0.0, depth), (0.2, 0.6 * depth), (0.34, 0.03)]
    if cut.neck == "straps":
        neck = [(-0.42, 0.05), (-0.36, 0.5), (0.0, 0.62), (0.36, 0.5), (0.42, 0.05)]
    edge = hem_line(left, right, style.details.hem)
    outline: Outline = [
        *curve(neck),
        *curve(side),
        *edge,
        *[(-x, y) for x, y in reversed(curve(side))],
    ]
    deep = 0.9 if cut.flare > 0.3 else 0.5
    found = [Panel(outline, None, folds=deep)]
    found += hem_band(style, (left[0] + 0.02, hem), (right[0] - 0.02, hem))
    if cut.gathered:
        y, x = figure.waist_y, figure.waist + ease
        found.append(
            Panel(box(-x, y - 0.05, x, y + 0.05), accent(style) if style.details.trim else None)
        )
    found += _front(figure, style, cut, depth, hem)
    found += _collar(style, cut, depth)
    if cut.front != "open":
        found += placed_print(style, (0.0, 0.62 * figure.waist_y + 0.1), 0.42)
    at = place_of(style.details, (0.4, 0.75), (-0.4, 0.75), (0.42, figure.waist_y + 0.2))
    if not (cut.length < 0.5 and style.details.place == 2):
        found += motif_panels(style, at, 0.15)
    if cut.length >= 0.9 and cut.neck != "straps":
        found += pocket(style, (-0.42, figure.waist_y + 0.35), 0.2)
    return found


def _side(figure: Figure, cut: Cut, ease: float, hem: float) -> list[Point]:
    """From the neck over the shoulder down to the hem, on the right."""
    start = [(0.34, 0.03), (figure.shoulder + 0.4 * ease, 0.2), (figure.chest + ease, 0.75)]
    if cut.neck == "straps":
        start = [(0.42, 0.05), (0.52, 0.1), (0.56, 0.5), (figure.chest + ease, 0.8)]
    waist = figure.waist + (0.4 * ease if cut.gathered else ease)
    points = [*start, (waist, min(figure.waist_y, hem))]
    hip = figure.hip + ease + 0.25 * cut.flare
    if hem > figure.waist_y + 0.2:
        points.append((hip, min(figure.hip_y, hem)))
    if hem > figure.hip_y + 0.2:
        points.append((hip + cut.flare * (hem - figure.hip_y) * 0.45, hem))
    return points


def _inside_of_neck(style: Style) -> Panel:
    dark = (0.45 * style.shade[0], 0.45 * style.shade[1], 0.45 * style.shade[2])
    return Panel(ellipse((0, 0.06), 0.36, 0.14), dark, folds=0)


def _hood() -> list[Panel]:
    return [
        Panel(
            [*curve([(-0.62, 0.2), (-0.55, -0.35), (0, -0.5), (0.55, -0.35), (0.62, 0.2)])], None
        ),
        Panel(ellipse((0, -0.05), 0.4, 0.3), _LINING, folds=0),
    ]


def _front(figure: Figure, style: Style, cut: Cut, depth: float, hem: float) -> list[Panel]:
    seam = accent(style)
    if cut.front == "placket":
        y = depth + 0.75
        strip = Panel(box(-0.07, depth - 0.1, 0.07, y), None, folds=0)
        return [
            strip,
            Panel(box(-0.085, depth, -0.07, y), seam, folds=0, opacity=0.6),
            *buttons(style, (0, depth), (0, y - 0.12)),
        ]
    if cut.front == "buttoned":
        line = Panel(box(-0.1, depth - 0.05, -0.085, hem - 0.05), seam, folds=0, opacity=0.6)
        return [line, *buttons(style, (0, depth + 0.1), (0, max(hem - 0.5, depth + 0.5)))]
    if cut.front == "open":
        gap = 0.08 + 0.05 * (1 + style.fit)
        opening: Outline = [(0, depth), (gap, hem + 0.02), (-gap, hem + 0.02)]
        shut = figure.pose != "flat" and style.fit < 0
        found = [] if shut else [Panel(opening, _LINING, folds=0.2)]
        return [*found, *buttons(style, (0.24, depth + 0.15), (0.24, min(hem, figure.hip_y)), 0.07)]
    return []


def _collar(style: Style, cut: Cut, depth: float) -> list[Panel]:
    cloth = style.details.trim if style.details.trim and cut.neck != "lapels" else None
    found = []
    for side in (-1, 1):
        flap: Outline = []
        if cut.neck == "collar":
            flap = [(0, 0.28), (side * 0.34, 0.0), (side * 0.45, 0.2), (side * 0.22, 0.48)]
        elif cut.neck == "lapels":
            flap = [
                (side * 0.3, 0.0),
                (side * 0.46, 0.14),
                (side * 0.62, 0.5),
                (side * 0.4, 0.6),
                (0, depth),
                (side * 0.18, 0.4),
            ]
        elif cut.neck == "band":
            flap = [(0, 0.3), (side * 0.34, 0.0), (side * 0.3, -0.14), (0, 0.14)]
        elif cut.neck in ("crew", "v", "wrap"):
            inner = [(side * 0.34, 0.03), (side * 0.2, 0.6 * depth), (0.0, depth)]
            flap = [*curve(inner), *[(x * 1.12, y + 0.08) for x, y in reversed(curve(inner))]]
        if flap:
            found.append(Panel(flap, cloth, folds=0.1))
    if cut.neck == "wrap":
        found.append(
            Panel([(-0.34, 0.1), (-0.24, 0.1), (0.5, 1.5), (0.36, 1.5)], accent(style), folds=0)
        )
    return found


def _sleeve(arm: Limb, style: Style, cut: Cut, ease: float) -> list[Panel]:
    if not cut.sleeve:
        return []
    shoulder, elbow, wrist = arm
    if cut.sleeve < 0.6:
        share = cut.sleeve / 0.55
        end = (
            shoulder[0] + share * (elbow[0] - shoulder[0]),
            shoulder[1] + share * (elbow[1] - shoulder[1]),
        )
        middle = (0.5 * (shoulder[0] + end[0]), 0.5 * (shoulder[1] + end[1]))
    else:
        share = (cut.sleeve - 0.55) / 0.45
        end = (elbow[0] + share * (wrist[0] - elbow[0]), elbow[1] + share * (wrist[1] - elbow[1]))
        middle = elbow
    wide = 0.24 + 0.6 * ease
    top = (0.84 * shoulder[0], shoulder[1] + 0.05)
    outline = tube((top, middle, end), (0.95 * wide, 0.92 * wide, 0.72 * wide))
    found = [Panel(outline, None, folds=0.6, over_arms=True)]
    if style.details.hem == 3 or style.details.trim is not None:
        near = (end[0] + 0.12 * (middle[0] - end[0]), end[1] + 0.12 * (middle[1] - end[1]))
        cuff = tube((near, end, end), (0.76 * wide, 0.76 * wide, 0.76 * wide))
        found.append(Panel(cuff, accent(style), folds=0.2, over_arms=True))
    return found
