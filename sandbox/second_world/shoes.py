"""Shoes, drawn around the ankle at (0, 0)."""

from __future__ import annotations

from sandbox.second_world.canvas import Panel
from sandbox.second_world.geometry import box, curve, ellipse, tube
from sandbox.second_world.shades import RGB
from sandbox.second_world.styles import Style
from sandbox.second_world.trimmings import (
    accent,
    buttons,
    motif_panels,
    place_of,
)


def shoe(style: Style) -> list[Panel]:
    """One shoe with its toe to the right; the ankle is at (0, 0)."""
    kind, details = style.category, style.details
    sole: RGB = details.trim or ((0.93, 0.92, 0.9) if kind == "sneakers" else (0.22, 0.17, 0.14))
    ground, long = 0.42, 0.78 + 0.05 * style.fit
    found: list[Panel] = []
    if kind == "heels":
        upper = curve(
            [
                (-0.16, -0.02),
                (0.1, 0.18),
                (0.4, 0.16),
                (long, 0.4),
                (0.5, 0.42),
                (0.12, 0.3),
                (-0.2, 0.2),
                (-0.16, -0.02),
            ]
        )
        spike = 0.03 + 0.025 * details.hem
        found += [
            Panel(
                [(-0.2, 0.16), (-0.06, 0.22), (-0.13 + spike, ground), (-0.13 - spike, ground)],
                sole,
                0,
            )
        ]
        found.append(Panel(upper, None, 0.1, gloss=0.9))
    elif kind in ("sandals", "juttis", "flats"):
        found.append(
            Panel(curve([(-0.25, 0.36), (long, 0.37), (long, ground), (-0.25, ground)]), sole, 0)
        )
        if kind == "sandals":
            for n in range(2 + details.hem):
                x = 0.05 + 0.6 * n / (1 + details.hem)
                found.append(
                    Panel(
                        tube(
                            [(x - 0.12, 0.38), (x, 0.14 + 0.2 * x), (x + 0.12, 0.38)],
                            (0.05, 0.06, 0.05),
                        ),
                        None,
                        0,
                        gloss=0.5,
                    )
                )
        else:
            tip = (long + 0.06, 0.12 if kind == "juttis" else 0.34)
            found.append(
                Panel(
                    curve(
                        [
                            (-0.24, 0.12),
                            (-0.05, 0.2),
                            (0.2, 0.28),
                            (0.45, 0.18),
                            tip,
                            (long, 0.38),
                            (-0.24, 0.38),
                            (-0.24, 0.12),
                        ]
                    ),
                    None,
                    0.1,
                    gloss=0.4,
                )
            )
            if details.hem:
                found.append(
                    Panel(ellipse((0.45, 0.24), 0.05 + 0.02 * details.hem, 0.05), accent(style), 0)
                )
    else:
        top = {"boots": -0.75 + 0.1 * details.hem, "sneakers": -0.02, "loafers": 0.12}[kind]
        back = -0.24
        upper = [
            (back, top),
            (0.18 if kind != "loafers" else 0.08, top),
            *curve([(0.2, 0.05), (0.4, 0.16), (long, 0.28), (long + 0.02, 0.36)]),
            (long, 0.38),
            (back, 0.38),
        ]
        found.append(Panel(upper, None, 0.2, gloss=0.2 if kind == "sneakers" else 0.7))
        thick = 0.1 if kind == "sneakers" else 0.07
        found.append(Panel(box(back - 0.03, ground - thick, long + 0.04, ground + 0.03), sole, 0))
        laces = details.buttons if kind != "loafers" else 0
        found += [
            Panel(
                box(0.14 + 0.07 * n, 0.02 + 0.035 * n, 0.3 + 0.07 * n, 0.05 + 0.035 * n),
                accent(style),
                0,
            )
            for n in range(laces)
        ]
        if kind == "loafers" and details.hem:
            found.append(
                Panel(
                    tube([(0.15, 0.12), (0.3, 0.18), (0.42, 0.26)], (0.05, 0.05, 0.05)),
                    accent(style),
                    0,
                    gloss=0.8,
                )
            )
        if kind == "sneakers" and details.hem:
            found.append(
                Panel(
                    curve(
                        [(0.1, 0.34), (0.3 + 0.06 * details.hem, 0.12), (0.36, 0.18), (0.2, 0.36)]
                    ),
                    accent(style),
                    0,
                )
            )
    found += (
        buttons(style, (-0.18, 0.3), (0.12, 0.34), 0.022)
        if kind in ("loafers", "flats", "juttis", "heels", "sandals")
        else []
    )
    at = place_of(details, (-0.12, 0.2), (0.5, 0.3), (0.1, 0.28))
    return [*found, *motif_panels(style, at, 0.08)]
