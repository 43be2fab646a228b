"""Bags, hanging from (0, 0)."""

from __future__ import annotations

from sandbox.second_world.canvas import Panel
from sandbox.second_world.geometry import Outline, box, curve, ellipse, tube
from sandbox.second_world.shades import RGB
from sandbox.second_world.styles import Style
from sandbox.second_world.trimmings import (
    accent,
    buttons,
    motif_panels,
    place_of,
    placed_print,
    pocket,
)

_BLACK: RGB = (0.1, 0.1, 0.11)


def bag(style: Style) -> list[Panel]:
    """A bag that hangs from (0, 0)."""
    kind, form = style.category, style.details.hem
    width, height = {
        "handbag": (0.62, 0.75),
        "backpack": (0.62, 1.15),
        "tote bag": (0.62, 1.15),
        "crossbody bag": (0.46, 0.5),
        "clutch": (0.6, 0.4),
    }[kind]
    width *= 1 + 0.12 * style.fit
    drop = {
        "handbag": 0.5,
        "backpack": 0.1,
        "tote bag": 0.75,
        "crossbody bag": 1.5,
        "clutch": 0.05,
    }[kind]
    body: Outline = [
        (-0.85 * width, drop),
        (0.85 * width, drop),
        (width, drop + height),
        (-width, drop + height),
    ]
    if form == 1:
        body = curve(
            [
                (-0.8 * width, drop),
                (0.8 * width, drop),
                (1.1 * width, drop + 0.7 * height),
                (0.6 * width, drop + height),
                (-0.6 * width, drop + height),
                (-1.1 * width, drop + 0.7 * height),
                (-0.8 * width, drop),
            ]
        )
    found = []
    handle = style.details.trim or style.shade
    if kind == "backpack":
        found += [
            Panel(
                tube([(s * 0.4, 0.2), (s * 0.8, 0.6), (s * 0.5, 1.2)], (0.08, 0.08, 0.08)),
                handle,
                0.2,
            )
            for s in (-1, 1)
        ]
        found.append(Panel(ellipse((0, 0.1), 0.16, 0.14), handle, 0.1))
    elif kind != "clutch":
        arc = [
            (-0.45 * width, drop + 0.1),
            (-0.3 * width, 0.15),
            (0, 0),
            (0.3 * width, 0.15),
            (0.45 * width, drop + 0.1),
        ]
        found.append(Panel(tube(arc, (0.045, 0.045, 0.045)), handle, 0.1))
    found.append(Panel(body, None, folds=0.3, gloss=0.0 if kind == "tote bag" else 0.5))
    if kind in ("handbag", "crossbody bag", "clutch"):
        y = drop + (0.55 if form % 2 else 0.4) * height
        flap: Outline = [
            (-0.85 * width, drop),
            (0.85 * width, drop),
            (0.8 * width, y),
            (0, y + 0.15 * (form - 1)),
            (-0.8 * width, y),
        ]
        found.append(
            Panel(
                flap,
                accent(style) if style.details.trim and form > 1 else None,
                folds=0.2,
                gloss=0.5,
            )
        )
        found.append(Panel(ellipse((0, y), 0.07, 0.05), (0.8, 0.66, 0.3), 0, gloss=0.8))
    if kind == "backpack":
        found.append(
            Panel(
                box(-0.7 * width, drop + 0.55 * height, 0.7 * width, drop + 0.93 * height),
                accent(style) if style.details.trim else None,
                folds=0.3,
            )
        )
        found.append(Panel(box(-0.9 * width, drop + 0.28, 0.9 * width, drop + 0.32), _BLACK, 0))
    y = drop + 0.75 * height
    found += placed_print(style, (0, drop + 0.5 * height), 0.32 * height)
    found += motif_panels(
        style, place_of(style.details, (0, y), (0.5 * width, y), (-0.5 * width, y)), 0.17 * height
    )
    found += buttons(
        style, (-0.75 * width, drop + height - 0.06), (0.75 * width, drop + height - 0.06), 0.04
    )
    return [*found, *pocket(style, (0.3 * width, drop + 0.55 * height), 0.16)]
