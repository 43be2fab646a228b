"""Jewellery and watches, each drawn around (0, 0)."""

from __future__ import annotations

from sandbox.second_world.canvas import Panel
from sandbox.second_world.geometry import Outline, Point, curve, ellipse, moved, tube
from sandbox.second_world.shades import RGB
from sandbox.second_world.styles import Style
from sandbox.second_world.trimmings import (
    accent,
    motif_panels,
)

_BLACK: RGB = (0.1, 0.1, 0.11)


def jewellery(style: Style) -> list[Panel]:
    """A necklace below (0, 0), a pair of earrings beside it, or bangles around it."""
    details = style.details
    if style.category == "necklace":
        low = 0.5 + 0.12 * details.place + 0.08 * style.fit
        chain = [(-0.3, 0.0), (-0.2, 0.6 * low), (0.0, low), (0.2, 0.6 * low), (0.3, 0.0)]
        found = [Panel(tube(chain, (0.025, 0.035, 0.025)), None, 0, gloss=0.8)]
        path = curve(chain, 4)
        step = max(1, 8 - details.buttons)
        found += [
            Panel(ellipse(at, 0.045, 0.045), accent(style), 0, gloss=1.0) for at in path[2:-2:step]
        ]
        pendant = _drop((0.0, low + 0.06), 0.11, details.hem)
        return [
            *found,
            Panel(pendant, None, 0, gloss=1.0),
            *motif_panels(style, (0.0, low + 0.16), 0.07),
        ]
    if style.category == "earrings":
        found = []
        for side in (-1, 1):
            at = (side * 0.4, 0.0)
            found.append(Panel(ellipse(at, 0.05, 0.05), None, 0, gloss=1.0))
            found.append(
                Panel(_drop((at[0], 0.06), 0.1 + 0.02 * style.fit, details.hem), None, 0, gloss=1.0)
            )
            found += [
                Panel(
                    ellipse(
                        (at[0] - 0.08 + 0.16 * n / max(details.buttons - 1, 1), 0.36), 0.022, 0.03
                    ),
                    accent(style),
                    0,
                )
                for n in range(details.buttons)
            ]
            found += motif_panels(style, (at[0], 0.18), 0.05)
        return found
    rings = 2 + details.buttons // 2
    found = []
    for number in range(rings):
        y = 0.07 * (number - 0.5 * rings)
        outer = ellipse((0, y), 0.17, 0.07 + 0.01 * details.place)
        hole = ellipse((0, y), 0.14, 0.045)
        colour = accent(style) if number % (2 + details.hem) == 1 else None
        found.append(Panel([*outer, *reversed(hole)], colour, 0, gloss=0.9))
    return [*found, *motif_panels(style, (0, 0.04), 0.05)]


def _drop(top: Point, size: float, form: int) -> Outline:
    x, y = top
    if form == 0:
        return ellipse((x, y + 1.1 * size), size, size)
    if form == 1:
        return [(x, y), (x + size, y + 1.4 * size), (x, y + 2.4 * size), (x - size, y + 1.4 * size)]
    if form == 2:
        return [
            (x - 0.3 * size, y),
            (x + 0.3 * size, y),
            (x + size, y + 2 * size),
            (x - size, y + 2 * size),
        ]
    ring = ellipse((x, y + 1.1 * size), size, 1.1 * size)
    return [*ring, *reversed(ellipse((x, y + 1.1 * size), 0.65 * size, 0.75 * size))]


def watch(style: Style) -> list[Panel]:
    """A watch whose dial is at (0, 0), its strap upright."""
    details, smart = style.details, style.category == "smartwatch"
    half = 0.1 + 0.02 * style.fit
    strap = Panel(
        tube([(0, -0.5), (0, 0), (0, 0.5)], (0.7 * half, half, 0.7 * half)),
        details.trim,
        0.1,
        gloss=0.3,
    )
    size = 0.17 + 0.02 * details.place
    square = [
        (-size, -1.15 * size),
        (size, -1.15 * size),
        (size, 1.15 * size),
        (-size, 1.15 * size),
    ]
    face = square if smart or details.hem == 2 else ellipse((0, 0), size, size)
    dial: RGB = _BLACK if smart or details.hem % 2 else (0.95, 0.94, 0.9)
    ink: RGB = (0.9, 0.9, 0.85) if dial == _BLACK else _BLACK
    found = [
        strap,
        Panel(face, None, 0, gloss=1.0),
        Panel(moved(face, (0, 0), 0.78), dial, 0, gloss=0.3),
    ]
    marks = 4 + details.buttons
    ring = ellipse((0, 0), 0.62 * size, 0.62 * size)
    found += [Panel(ellipse(ring[int(36 * n / marks)], 0.014, 0.014), ink, 0) for n in range(marks)]
    found += motif_panels(style, (0, -0.03 if smart else 0.05), 0.045)
    found += [Panel(ellipse((0, y), 0.02, 0.02), _BLACK, 0) for y in (0.3, 0.38) if details.pocket]
    return [
        *found,
        Panel(tube([(0, 0), (0.04, -0.06), (0.06, -0.1)], (0.012, 0.01, 0.008)), ink, 0),
    ]
