"""Paint panels of garments into a picture: cloth, folds, edges and cast shadows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from sandbox.second_world.cloth import dye, noise, plain
from sandbox.second_world.geometry import Array, Outline, Placement
from sandbox.second_world.shades import RGB
from sandbox.second_world.styles import Style

SUPERSAMPLING = 2


@dataclass(frozen=True, slots=True)
class Panel:
    """A piece of a garment, in body units."""

    outline: Outline
    colour: RGB | None = None
    """None: of the style's cloth."""
    folds: float = 0.5
    """Depth of the relief, 0 (board) to 1 (draped)."""
    over_arms: bool = False
    """Sleeves, and what else lies in front of folded arms."""
    gloss: float = 0.0
    """Strength of a highlight, for leather, glass and metal."""
    opacity: float = 1.0


class Canvas:
    """A picture being painted, and which department is visible where."""

    def __init__(self, background: Array) -> None:
        """``background``: shape (rows, columns, 3), 0..1, at SUPERSAMPLING times the size."""
        self.pixels = background.copy()
        self.labels: npt.NDArray[np.uint8] = np.zeros(background.shape[:2], np.uint8)

    def paint(
        self, panel: Panel, style: Style | None, placement: Placement, label: int, seed: int
    ) -> None:
        """Paint one panel. ``style``: of the cloth, if the panel has any; ``seed``: of folds."""
        corners = np.array(placement.pixels(panel.outline))
        pad = max(3, int(0.12 * placement.scale))
        rows, columns = self.labels.shape
        x0, y0 = (max(0, int(low) - pad) for low in corners.min(0))
        x1, y1 = (int(high) + pad for high in corners.max(0))
        x1, y1 = min(columns, x1), min(rows, y1)
        if x1 - x0 < 2 or y1 - y0 < 2:
            return
        inside = Image.new("L", (x1 - x0, y1 - y0), 0)
        ImageDraw.Draw(inside).polygon([(x - x0, y - y0) for x, y in corners.tolist()], fill=255)
        mask = np.asarray(inside, np.float32) / 255
        soft = _blurred(inside, 0.09 * placement.scale)
        view = self.pixels[y0:y1, x0:x1]
        if label and panel.folds:
            _cast_shadow(view, inside, placement.scale)
        xs = np.arange(x0, x1, dtype=np.float32)[None, :]
        ys = np.arange(y0, y1, dtype=np.float32)[:, None]
        u, v = placement.units(xs, ys)
        if panel.colour is None:
            assert style is not None, "cloth belongs to a style"
            colours = dye(style, u, v)
        else:
            colours = plain(panel.colour, u)
        light = _light(panel, u, v, soft, placement.scale, seed)
        lit = np.clip(colours * light[..., None], 0, 1)
        if panel.gloss:
            lit = lit + panel.gloss * np.clip(soft * 2 - 1.2, 0, 1)[..., None] * 0.35 * (1 - lit)
        cover = (mask * panel.opacity)[..., None]
        view[:] = view * (1 - cover) + lit * cover
        self.labels[y0:y1, x0:x1][mask > 0.5] = label

    def picture(self) -> Image.Image:
        """The picture in its final size, RGB."""
        values = (np.clip(self.pixels, 0, 1) * 255 + 0.5).astype(np.uint8)
        return Image.fromarray(values).reduce(SUPERSAMPLING)


def _cast_shadow(view: Array, inside: Image.Image, scale: float) -> None:
    """Darken what lies below and to the right of the panel."""
    shadow = _blurred(inside, 0.07 * scale)
    shift = max(1, int(0.04 * scale))
    if min(shadow.shape) > shift:
        view[shift:, shift:] *= 1 - 0.28 * shadow[:-shift, :-shift, None]


def _blurred(mask: Image.Image, radius: float) -> Array:
    return np.asarray(mask.filter(ImageFilter.BoxBlur(radius)), np.float32) / 255


def _light(panel: Panel, u: Array, v: Array, soft: Array, scale: float, seed: int) -> Array:
    """Brightness: darker at the edges, and along folds that hang down and bend."""
    edge = 0.78 + 0.22 * np.clip(2 * soft - 1, 0, 1)
    if not panel.folds:
        return edge
    bumps = noise((u.shape[0], u.shape[1]), 0.5 * scale, seed)
    hanging = np.sin(7.0 * u + 2.6 * bumps + 0.8 * v + seed % 7)
    return np.asarray(edge * (1 + panel.folds * (0.1 * hanging + 0.1 * bumps)), np.float32)
