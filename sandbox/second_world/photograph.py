"""Product photographs: one style on a backdrop, as a shop shows it."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
from PIL import Image

from sandbox.second_world.canvas import SUPERSAMPLING, Canvas, Panel
from sandbox.second_world.cloth import noise
from sandbox.second_world.figure import Figure, flat_figure
from sandbox.second_world.geometry import Array, Placement, moved
from sandbox.second_world.lower import (
    jumpsuit_panels,
    kimono_panels,
    lehenga_panels,
    saree_panels,
    skirt_of,
    trousers_panels,
)
from sandbox.second_world.shades import RGB
from sandbox.second_world.small_things import DRAWN
from sandbox.second_world.styles import Style
from sandbox.second_world.upper import upper_panels

SIZE = (160, 200)
"""Width and height of a product's picture, in pixels."""

_PAPERS: tuple[RGB, ...] = (
    (0.97, 0.97, 0.96),
    (0.9, 0.88, 0.85),
    (0.82, 0.85, 0.86),
    (0.93, 0.9, 0.93),
)

_DRAPED = {
    "skirt": skirt_of,
    "jumpsuit": jumpsuit_panels,
    "saree": saree_panels,
    "lehenga": lehenga_panels,
    "kimono": kimono_panels,
}


def clothing_panels(figure: Figure, style: Style) -> list[Panel]:
    """A garment that is cut for the body."""
    if style.category in _DRAPED:
        return _DRAPED[style.category](figure, style)
    if style.department == "bottom":
        return trousers_panels(figure, style)
    return upper_panels(figure, style)


def draw_product(style: Style, seed: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """The style's photograph, RGB; ``seed`` draws light, backdrop and folds."""
    rng = random.Random(f"photograph/{seed}")
    panels = _laid_out(style, rng)
    canvas = Canvas(_backdrop(size, rng))
    placement = _framed(panels, size, rng)
    for number, panel in enumerate(panels):
        canvas.paint(panel, style, placement, 1, seed + number)
    return canvas.picture()


def _laid_out(style: Style, rng: random.Random) -> list[Panel]:
    if style.department == "footwear":
        one = DRAWN["footwear"](style)
        behind = [_moved(panel, (0.22, -0.3)) for panel in one]
        return [*behind, *one]
    if style.category == "earrings":
        close = DRAWN["jewellery"](style)
        return [_moved(one, (-0.22 if one.outline[0][0] > 0 else 0.22, 0.0)) for one in close]
    if style.department in DRAWN:
        return DRAWN[style.department](style)
    return clothing_panels(flat_figure(), style)


def _moved(panel: Panel, by: tuple[float, float]) -> Panel:
    return replace(panel, outline=moved(panel.outline, by))


def _framed(panels: list[Panel], size: tuple[int, int], rng: random.Random) -> Placement:
    """Where the panels fill the picture but for a margin, slightly turned."""
    corners = np.array([point for panel in panels for point in panel.outline])
    low, high = corners.min(0), corners.max(0)
    width, height = (SUPERSAMPLING * side for side in size)
    share = rng.uniform(0.7, 0.9)
    scale = share * float(min(width / (high[0] - low[0]), height / (high[1] - low[1])))
    turn = rng.uniform(-0.07, 0.07)
    x, y = ((low + high) / 2).tolist()
    centre = Placement(scale, 0.0, 0.0, turn).pixels([(x, y)])[0]
    return Placement(scale, width / 2 - centre[0], height / 2 - centre[1], turn)


def _backdrop(size: tuple[int, int], rng: random.Random) -> Array:
    """Paper, plaster or planks, with light from one side: (rows, columns, 3), supersampled."""
    columns, rows = size
    base: RGB = rng.choice(_PAPERS)
    x, y = (np.linspace(-0.5, 0.5, side, dtype=np.float32) for side in size)
    light = (1 + rng.uniform(-0.1, 0.1) * x)[None, :] - 0.08 * y[:, None]
    kind = rng.random()
    if kind < 0.25:
        light = light * (1 + 0.06 * noise((rows, columns), 12, rng.randrange(10**6)))
    elif kind < 0.35:
        base = (0.74, 0.6, 0.46)
        planks = 5 * (x + 0.5)
        light = light * (1 + 0.05 * np.sin(np.floor(planks) * 3.1) - 0.25 * (planks % 1 < 0.04))
    small = np.clip(np.array(base, np.float32) * light[..., None], 0, 1)
    enlarged = small.repeat(SUPERSAMPLING, axis=0).repeat(SUPERSAMPLING, axis=1)
    return np.asarray(enlarged, np.float32)
