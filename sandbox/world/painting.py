"""Paints shapes: cloth, outline, shading, folds and shadow."""

import random
from dataclasses import dataclass, field

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from sandbox.world.cloth import Printing, mix, texture, tone_of
from sandbox.world.garments import RGB, Garment
from sandbox.world.geometry import Path, Placement
from sandbox.world.shapes import Shape

_REDUCTION = 4  # soft light is computed at a quarter of the canvas's resolution
_DEEP, _BRIGHT = (18, 10, 34), (255, 252, 244)


@dataclass(slots=True)
class Canvas:
    """A supersampled picture, and optionally the visible label of each pixel."""

    picture: Image.Image
    labels: Image.Image | None = None
    printing: Printing = field(default_factory=Printing)

    @property
    def size(self) -> tuple[int, int]:
        return self.picture.size


@dataclass(frozen=True, slots=True)
class Finish:
    """How a garment is painted."""

    label: int
    """Its value in the canvas's labels."""
    shadow: float
    """Strength, 0..1."""
    reach: float
    """Of the shadow, in body units."""
    lined: bool = False
    """Whether the lining shows, because the garment is not worn."""


@dataclass(frozen=True, slots=True)
class _Sheet:
    """The mask (0 or 255) of a shape, and the position of its upper left corner."""

    mask: Image.Image
    origin: tuple[int, int]


def _cut_out(
    canvas: Canvas, parts: list[Path], holes: list[Path], pad: int, extent: list[Path]
) -> _Sheet:
    xs = [x for path in extent for x, _ in path]
    ys = [y for path in extent for _, y in path]
    x0, y0 = max(0, int(min(xs)) - pad), max(0, int(min(ys)) - pad)
    x1 = min(canvas.size[0], int(max(xs)) + pad)
    y1 = min(canvas.size[1], int(max(ys)) + pad)
    mask = Image.new("L", (max(8, x1 - x0), max(8, y1 - y0)), 0)
    draw = ImageDraw.Draw(mask)
    for paths, value in ((parts, 255), (holes, 0)):
        for path in paths:
            draw.polygon([(x - x0, y - y0) for x, y in path], fill=value)
    return _Sheet(mask, (x0, y0))


def _outline(mask: Image.Image, thickness: int) -> Image.Image:
    k = thickness
    wide = ImageChops.lighter(ImageChops.offset(mask, k, 0), ImageChops.offset(mask, -k, 0))
    high = ImageChops.lighter(ImageChops.offset(mask, 0, k), ImageChops.offset(mask, 0, -k))
    return ImageChops.lighter(wide, high)


def _throw_shadow(
    canvas: Canvas, sheet: _Sheet, scale: float, strength: float, reach: float
) -> None:
    """A soft dark copy of the mask, down and to the right of it."""
    width, height = sheet.mask.size
    small = sheet.mask.reduce(_REDUCTION).point([int(v * strength) for v in range(256)])
    soft = small.filter(ImageFilter.GaussianBlur(max(0.6, reach * scale / _REDUCTION)))
    shadow = soft.resize((width, height), Image.Resampling.BILINEAR)
    shift = int(reach * scale * 0.8)
    at = (sheet.origin[0] + shift // 2, sheet.origin[1] + shift)
    canvas.picture.paste(_DEEP, at, shadow)


def _shade(canvas: Canvas, sheet: _Sheet, folds: list[Path], scale: float, depth: float) -> None:
    """Shade the cloth: darker towards its right and lower edges, lit on the left, with folds."""
    width, height = sheet.mask.size
    small = sheet.mask.reduce(_REDUCTION)
    s = scale / _REDUCTION
    round_off = small.filter(ImageFilter.GaussianBlur(max(0.8, 3.2 * s)))
    k = max(1, round(2.0 * s))
    dark = ImageChops.offset(round_off, -k, -max(1, k // 2)).point(
        [int((255 - v) * 0.62 * depth) for v in range(256)]
    )
    lit = ImageChops.offset(round_off, 2 * k, k).point(
        [int((255 - v) * 0.34 * depth) for v in range(256)]
    )
    if folds:
        creases = Image.new("L", small.size, 0)
        ridges = Image.new("L", small.size, 0)
        crease, ridge = ImageDraw.Draw(creases), ImageDraw.Draw(ridges)
        x0, y0 = sheet.origin
        pen = max(1, round(2.2 * s))
        for path in folds:
            line = [((x - x0) / _REDUCTION, (y - y0) / _REDUCTION) for x, y in path]
            crease.line(line, fill=int(105 * depth), width=pen)
            ridge.line([(x - 2.4 * s, y) for x, y in line], fill=int(62 * depth), width=pen)
        soften = ImageFilter.GaussianBlur(max(0.6, 1.5 * s))
        dark = ImageChops.add(dark, creases.filter(soften))
        lit = ImageChops.add(lit, ridges.filter(soften))
    for colour, amount in ((_DEEP, dark), (_BRIGHT, lit)):
        full = amount.resize((width, height), Image.Resampling.BILINEAR)
        canvas.picture.paste(colour, sheet.origin, ImageChops.multiply(full, sheet.mask))


def paint_flat(
    canvas: Canvas,
    paths: list[Path],
    colour: RGB,
    placement: Placement,
    label: int,
    depth: float = 0.8,
) -> None:
    """Paint skin or hair in one shaded colour."""
    parts = [placement(path) for path in paths]
    sheet = _cut_out(canvas, parts, [], int(3 * placement.scale), parts)
    edge = _outline(sheet.mask, max(1, round(placement.scale * 0.3)))
    canvas.picture.paste(mix(colour, (40, 10, 0), 0.35), sheet.origin, edge)
    canvas.picture.paste(colour, sheet.origin, sheet.mask)
    _shade(canvas, sheet, [], placement.scale, depth)
    if canvas.labels is not None:
        canvas.labels.paste(label, sheet.origin, sheet.mask)


def paint_garment(
    canvas: Canvas,
    shape: Shape,
    garment: Garment,
    placement: Placement,
    rng: random.Random,
    finish: Finish,
) -> None:
    """Paint the shape in the garment's cloth."""
    scale = placement.scale
    parts = [placement(path) for path in shape.parts]
    holes = [placement(path) for path in shape.holes]
    details = [(detail, placement(detail.path)) for detail in shape.details]
    extent = parts + [path for _, path in details]
    sheet = _cut_out(canvas, parts, holes, int(5 * scale), extent)
    picture, origin = canvas.picture, sheet.origin
    _throw_shadow(canvas, sheet, scale, finish.shadow, finish.reach)
    draw = ImageDraw.Draw(picture)
    for path in shape.lining if finish.lined else ():
        draw.polygon(
            placement(path), fill=mix(tone_of(garment, "strap", canvas.printing), _DEEP, 0.45)
        )
    for detail, path in details:
        if detail.tone == "strap":
            _lay(draw, tone_of(garment, detail.tone, canvas.printing), path, detail.width * scale)
    edge = _outline(sheet.mask, max(1, round(scale * 0.35)))
    picture.paste(tone_of(garment, "dark", canvas.printing), origin, edge)
    cloth = texture(sheet.mask.size, garment, scale, rng, canvas.printing)
    picture.paste(cloth, origin, sheet.mask)
    for detail, path in details:
        if detail.tone != "strap":
            _lay(draw, tone_of(garment, detail.tone, canvas.printing), path, detail.width * scale)
    folds = [placement(path) for path in shape.folds]
    _shade(canvas, sheet, folds, scale, rng.uniform(0.75, 1.15))
    if canvas.labels is not None:
        canvas.labels.paste(finish.label, origin, sheet.mask)


def _lay(draw: ImageDraw.ImageDraw, colour: RGB, path: Path, width: float) -> None:
    if width == 0.0:
        draw.polygon(path, fill=colour)
    else:
        draw.line(path, fill=colour, width=max(1, round(width)), joint="curve")
