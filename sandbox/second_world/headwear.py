"""Hats and glasses, each drawn around (0, 0)."""

from __future__ import annotations

from sandbox.second_world.canvas import Panel
from sandbox.second_world.geometry import box, curve, ellipse, moved, tube
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
_GLASS: RGB = (0.75, 0.83, 0.86)


def headwear(style: Style) -> list[Panel]:
    """A hat, on a head around (0, 0) of radii 0.4 and 0.52."""
    kind, form = style.category, style.details.hem
    trim = accent(style)
    crown = [
        (-0.45, -0.12),
        *ellipse((0, -0.15), 0.45, 0.5 + 0.04 * style.fit, 180, 360),
        (0.45, -0.12),
    ]
    motif = motif_panels(
        style, place_of(style.details, (0, -0.36), (0.2, -0.36), (-0.2, -0.36)), 0.12
    )
    band = Panel(box(-0.46, -0.27, 0.46, -0.12), trim if style.details.trim else None, folds=0.2)
    if kind == "cap":
        peak = [
            *curve([(-0.42, -0.14), (-0.2, -0.22), (0.35, -0.2), (0.42 + 0.1 * (form % 2), -0.1)]),
            *curve([(0.55 + 0.1 * form, 0.02), (0.1, 0.04), (-0.42, -0.1)]),
        ]
        brim = Panel(peak, trim if style.details.trim else None, folds=0.1)
        return [
            Panel(crown, None, folds=0.2),
            brim,
            *buttons(style, (-0.2, -0.55), (0.2, -0.55), 0.03),
            *placed_print(style, (0, -0.38), 0.17),
            *motif,
        ]
    if kind == "beanie":
        top = [(-0.46, -0.08), *ellipse((0, -0.15), 0.46, 0.62, 180, 360), (0.46, -0.08)]
        bobble = [Panel(ellipse((0, -0.82), 0.15, 0.14), trim, 0.8)] if form in (1, 3) else []
        cuff = Panel(box(-0.48, -0.3, 0.48, -0.04), trim if style.details.trim else None, folds=0.6)
        return [
            Panel(top, None, folds=0.4),
            cuff,
            *bobble,
            *placed_print(style, (0, -0.5), 0.16),
            *motif,
        ]
    if kind in ("sun hat", "bucket hat"):
        wide = (0.98 if kind == "sun hat" else 0.66) + 0.05 * style.fit
        brim = Panel(ellipse((0, -0.14), wide, 0.2 if kind == "sun hat" else 0.24), None, folds=0.5)
        ribbon = Panel(box(-0.45, -0.33, 0.45, -0.2), trim, folds=0.1)
        return [
            brim,
            Panel(crown, None, folds=0.3),
            *([ribbon] if form else []),
            *buttons(style, (-0.3, -0.26), (0.3, -0.26), 0.035),
            *placed_print(style, (0, -0.42), 0.14),
            *motif,
        ]
    if kind == "beret":
        flat = curve(
            [(-0.45, -0.2), (-0.7, -0.42), (-0.2, -0.68), (0.5, -0.6), (0.62, -0.35), (0.44, -0.18)]
        )
        stalk = [Panel(box(-0.06, -0.75, -0.02, -0.6), trim, 0)] if form in (0, 2) else []
        return [
            Panel(flat, None, folds=0.4),
            band,
            *stalk,
            *placed_print(style, (0.1, -0.45), 0.14),
            *motif,
        ]
    wraps = [
        tube(
            [(-0.5, -0.05 - 0.14 * n), (0, -0.3 - 0.14 * n), (0.5, -0.18 - 0.13 * n)],
            (0.1, 0.14, 0.1),
        )
        for n in range(4)
    ]
    jewel = [Panel(ellipse((0, -0.42), 0.07, 0.09), trim, 0, gloss=1.0)] if form % 2 else []
    return [
        Panel(ellipse((0, -0.32), 0.5, 0.45), None, folds=0.6),
        *(Panel(w, None, folds=0.8) for w in wraps),
        *jewel,
        *placed_print(style, (0.2, -0.55), 0.12),
        *motif,
    ]


def eyewear(style: Style) -> list[Panel]:
    """Glasses across (0, 0), 0.8 wide."""
    form, dark = style.details.hem, style.category == "sunglasses"
    rx, ry = ((0.17, 0.13), (0.15, 0.15), (0.19, 0.1), (0.18, 0.16))[form]
    rim = 0.02 + 0.01 * style.details.place
    lens: RGB = (0.16, 0.14, 0.13) if dark else _GLASS
    if dark and style.details.trim is not None:
        red, green, blue = style.details.trim
        lens = (0.1 + 0.3 * red, 0.1 + 0.3 * green, 0.1 + 0.3 * blue)
    found = [Panel(tube([(-0.12, -0.03), (0, -0.06), (0.12, -0.03)], (rim, rim, rim)), None, 0)]
    for side in (-1, 1):
        at = (side * 0.22, 0.0)
        outer = (
            ellipse(at, rx + rim, ry + rim)
            if form != 0
            else curve(
                [
                    (at[0] - rx - rim, -ry),
                    (at[0] + rx + rim, -ry),
                    (at[0] + rx, ry + rim),
                    (at[0] - rx, ry + rim),
                    (at[0] - rx - rim, -ry),
                ]
            )
        )
        inner = (
            ellipse(at, rx, ry)
            if form != 0
            else moved([(x - at[0], y) for x, y in outer], at, 0.82)
        )
        found += [
            Panel(outer, None, 0, gloss=0.5),
            Panel(inner, lens, 0, gloss=0.7, opacity=1.0 if dark else 0.6),
        ]
        arm = [(side * (0.22 + rx), -0.04), (side * 0.42, -0.05), (side * 0.46, 0.02)]
        found.append(Panel(tube(arm, (rim, rim, rim)), style.details.trim, 0))
        found += [
            Panel(ellipse((side * (0.24 + rx), -0.05 + 0.02 * n), 0.012, 0.012), _STEEL, 0)
            for n in range(style.details.buttons)
        ]
        found += motif_panels(style, (side * (0.22 + rx), -ry), 0.025)
    return found
