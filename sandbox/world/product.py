"""Product photographs: one garment on a plain background."""

import math
import random

from PIL import Image, ImageEnhance

from sandbox.world import accessories, lower, upper
from sandbox.world.cloth import mix
from sandbox.world.garments import RGB, Garment
from sandbox.world.geometry import Build, Placement
from sandbox.world.painting import Canvas, Finish, paint_garment
from sandbox.world.shapes import Pose, Shape, flat_pose

SUPERSAMPLING = 2
_BACKDROPS: tuple[RGB, ...] = (
    (250, 250, 250),
    (238, 238, 236),
    (226, 232, 240),
    (244, 234, 226),
    (228, 238, 228),
    (214, 214, 218),
    (240, 228, 236),
)
_SHAPES = {
    "headwear": accessories.headwear,
    "eyewear": accessories.eyewear,
    "outerwear": upper.outerwear,
    "top": upper.top,
    "dress": lower.dress,
    "bottom": lower.bottom,
    "bag": accessories.bag,
    "footwear": accessories.footwear,
}
# Limit of the scale, in pixels per body unit for a picture one pixel wide: glasses fill less of
# their photograph than a coat.
_LARGEST = 1 / 58


def shape_of(garment: Garment, pose: Pose) -> Shape:
    """The garment's drawing, in body coordinates, as worn in the pose."""
    return _SHAPES[garment.department](garment, pose)


def soft_backdrop(size: tuple[int, int], colour: RGB, rng: random.Random) -> Image.Image:
    """A plain wall with a light source, computed at low resolution and enlarged."""
    bright, dim = mix(colour, (255, 255, 255), 0.45), mix(colour, (40, 40, 60), 0.13)
    cx, cy = rng.uniform(1.5, 6.5), rng.uniform(0.5, 5.0)
    glow = Image.new("L", (8, 8))
    glow.putdata(
        [
            int(255 * math.exp(-(((x - cx) ** 2 + (y - cy) ** 2) / 24)))
            for y in range(8)
            for x in range(8)
        ]
    )
    wide = glow.resize((size[0] // 4, size[1] // 4), Image.Resampling.BICUBIC)
    wall = Image.composite(
        Image.new("RGB", wide.size, bright), Image.new("RGB", wide.size, dim), wide
    )
    return wall.resize(size, Image.Resampling.BILINEAR)


def draw_product(garment: Garment, rng: random.Random, size: int = 256) -> Image.Image:
    """A photograph of the garment, RGB, size x size. The view depends on `rng`."""
    side = size * SUPERSAMPLING
    wall = mix(rng.choice(_BACKDROPS), (255, 255, 255), rng.random() * 0.6)
    canvas = Canvas(soft_backdrop((side, side), wall, rng))
    pose = flat_pose(rng, 15.0 if garment.department == "footwear" else None)
    shape = shape_of(garment, pose)
    placement = _centred(shape, side, rng)
    finish = Finish(label=1, shadow=rng.uniform(0.22, 0.4), reach=3.0, lined=True)
    paint_garment(canvas, shape, garment, placement, rng, finish)
    picture = canvas.picture.reduce(SUPERSAMPLING)
    if rng.random() < 0.3:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return ImageEnhance.Brightness(picture).enhance(rng.uniform(0.92, 1.06))


def _centred(shape: Shape, side: int, rng: random.Random) -> Placement:
    build = Build(girth=rng.uniform(0.92, 1.1))
    stretch, turn = rng.uniform(0.95, 1.06), rng.uniform(-0.1, 0.1)
    flat = Placement(1.0, (0.0, 0.0), turn, stretch, build)
    points = [
        point
        for path in shape.parts + [detail.path for detail in shape.details]
        for point in flat(path)
    ]
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    upper_edge, lower_edge = min(y for _, y in points), max(y for _, y in points)
    extent = max(right - left, lower_edge - upper_edge)
    scale = min(side * rng.uniform(0.72, 0.9) / extent, side * _LARGEST)
    jitter = 0.04 * side
    shift = (
        side / 2 - scale * (left + right) / 2 + rng.uniform(-jitter, jitter),
        side / 2 - scale * (upper_edge + lower_edge) / 2 + rng.uniform(-jitter, jitter),
    )
    return Placement(scale, shift, turn, stretch, build, rng.uniform(0.0, 0.4), rng.uniform(0, 6))
