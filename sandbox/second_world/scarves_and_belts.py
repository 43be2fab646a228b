"""Scarves, ties and belts, each drawn around (0, 0)."""

from __future__ import annotations

from sandbox.second_world.canvas import Panel
from sandbox.second_world.geometry import Outline, box, curve, ellipse, moved, tube
from sandbox.second_world.shades import RGB
from sandbox.second_world.styles import Style
from sandbox.second_world.trimmings import (
    accent,
    buttons,
    motif_panels,
    place_of,
    placed_print,
)

_STEEL: RGB = (0.72, 0.73, 0.75)


def belt(style: Style) -> list[Panel]:
    """A belt of half-width 1 around (0, 0)."""
    details = style.details
    half = 0.09 if style.category == "leather belt" else 0.17
    low = 0.03
    strap: Outline = [
        (-1, -half),
        (1, -half),
        (1, half),
        *curve([(1, half), (0, half + low), (-1, half)]),
    ]
    edge: Outline = [(-1, -0.6 * half), (1, -0.6 * half), (1, -0.45 * half), (-1, -0.45 * half)]
    found = [Panel(strap, None, 0.1, gloss=0.5)]
    found += [Panel(edge, details.trim, 0)] if details.trim else []
    found += buttons(style, (0.25, 0), (0.8, 0), 0.03)
    metal: RGB = (0.8, 0.66, 0.3) if details.place else _STEEL
    size = 1.6 * half
    frame = [
        box(-size, -size, size, size),
        ellipse((0, 0), size, size),
        ellipse((0, 0), 1.4 * size, size),
        box(-1.3 * size, -0.8 * size, 1.3 * size, 0.8 * size),
    ][details.hem]
    return [
        *found,
        Panel(frame, metal, 0, gloss=1.0),
        Panel(moved(frame, (0, 0), 0.6), style.shade, 0),
        *motif_panels(style, (-0.5, 0), 0.8 * half),
    ]


def scarf(style: Style) -> list[Panel]:
    """A scarf around a neck at (0, 0), its ends hanging over whatever is worn."""
    details, kind = style.details, style.category
    if kind == "tie":
        knot: Outline = [(-0.12, 0.06), (0.12, 0.06), (0.07, 0.28), (-0.07, 0.28)]
        low = 1.5 + 0.15 * style.fit
        tip: Outline = [(0.16, low), (0, low + (0.2 if details.hem % 2 else 0.02)), (-0.16, low)]
        blade: Outline = [(-0.07, 0.28), (0.07, 0.28), *tip]
        clip = (
            [Panel(box(-0.13, 0.9, 0.13, 0.95), accent(style), 0, gloss=1.0)]
            if details.buttons > 2
            else []
        )
        return [
            Panel(blade, None, 0.1),
            Panel(knot, details.trim, 0.1),
            *clip,
            *placed_print(style, (0, 1.2), 0.1),
            *motif_panels(style, place_of(details, (0, 1.35), (0, 1.1), (0, 0.7)), 0.07),
        ]
    thick = {"muffler": 0.24, "stole": 0.3, "silk scarf": 0.17}[kind] * (1 + 0.15 * style.fit)
    low = {"muffler": 1.7, "stole": 2.3, "silk scarf": 0.75}[kind]
    found = [Panel(tube([(-0.45, 0.1), (0, -0.08), (0.45, 0.1)], (thick, thick, thick)), None, 0.8)]
    ends = ((-0.28, low), (0.26, low - 0.35))
    for x, y in ends:
        found.append(
            Panel(
                tube([(0.5 * x, 0.15), (x, 0.5 * y), (1.25 * x, y)], (0.8 * thick, thick, thick)),
                None,
                0.9,
            )
        )
        if details.trim is not None:
            found.append(
                Panel(box(1.25 * x - thick, y - 0.24, 1.25 * x + thick, y - 0.1), details.trim, 0.4)
            )
        if details.hem in (1, 3):
            count = 5 + 2 * details.hem
            found += [
                Panel(
                    box(
                        1.25 * x - thick + 2 * thick * n / count,
                        y,
                        1.25 * x - thick + 2 * thick * n / count + 0.03,
                        y + 0.16,
                    ),
                    details.trim,
                    0,
                )
                for n in range(count)
            ]
        found += [
            Panel(
                box(1.25 * x - thick, y - 0.3 - 0.1 * n, 1.25 * x + thick, y - 0.27 - 0.1 * n),
                accent(style),
                0.3,
            )
            for n in range(details.buttons)
        ]
    x, y = ends[0]
    return [
        *found,
        Panel(
            curve([(-0.46, 0.12), (0, 0.45), (0.46, 0.12), (0.3, -0.05), (0, 0.12), (-0.3, -0.05)]),
            None,
            0.8,
        ),
        *placed_print(style, (1.25 * x, 0.62 * y), 0.8 * thick),
        *motif_panels(style, (1.2 * x, 0.75 * y), 0.5 * thick),
    ]
