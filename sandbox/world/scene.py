"""Backgrounds of looks: a wall, a floor, light and out-of-focus objects."""

import random

from PIL import Image, ImageDraw, ImageFilter

from sandbox.world.cloth import mix
from sandbox.world.garments import RGB
from sandbox.world.geometry import dome
from sandbox.world.product import soft_backdrop

_WALLS: tuple[RGB, ...] = (
    (206, 218, 234),
    (235, 220, 204),
    (210, 226, 212),
    (230, 212, 224),
    (200, 202, 208),
    (238, 232, 208),
    (222, 214, 232),
    (186, 196, 206),
)
_REDUCTION = 4  # scenes are out of focus: drawn at low resolution, blurred and enlarged


def draw_scene(size: tuple[int, int], rng: random.Random) -> Image.Image:
    """Draw a softly lit, out-of-focus background, RGB of `size`."""
    wall = mix(rng.choice(_WALLS), (255, 255, 255), rng.random() * 0.45)
    width, height = size[0] // _REDUCTION, size[1] // _REDUCTION
    scene = soft_backdrop((width, height), wall, rng)
    draw = ImageDraw.Draw(scene)
    horizon = height * rng.uniform(0.78, 0.88)
    rng.choice((_bare, _window, _arch, _lamps, _frames, _plant))(draw, wall, width, horizon, rng)
    floor = mix(wall, (96, 82, 70), rng.uniform(0.16, 0.36))
    draw.rectangle((0, horizon, width, height), fill=floor)
    draw.line((0, horizon, width, horizon), fill=mix(wall, (255, 255, 255), 0.5), width=2)
    pool = Image.new("L", (width, height), 0)
    ImageDraw.Draw(pool).ellipse(
        (width * 0.18, height * 0.93, width * 0.86, height * 0.99), fill=90
    )
    scene.paste(mix(floor, (20, 16, 24), 0.8), (0, 0), pool.filter(ImageFilter.GaussianBlur(3)))
    soft = scene.filter(ImageFilter.GaussianBlur(rng.uniform(0.8, 2.2) * width / 128))
    return soft.resize(size, Image.Resampling.BILINEAR)


def _bare(
    draw: ImageDraw.ImageDraw, wall: RGB, width: int, horizon: float, rng: random.Random
) -> None:
    return


def _window(
    draw: ImageDraw.ImageDraw, wall: RGB, width: int, horizon: float, rng: random.Random
) -> None:
    x, w = rng.uniform(-0.1, 0.7) * width, rng.uniform(0.3, 0.5) * width
    y, h = horizon * rng.uniform(0.05, 0.2), horizon * rng.uniform(0.4, 0.6)
    draw.rectangle((x, y, x + w, y + h), fill=mix(wall, (236, 246, 255), 0.75))
    frame = mix(wall, (90, 80, 80), 0.3)
    draw.rectangle((x, y, x + w, y + h), outline=frame, width=2)
    draw.line((x + w / 2, y, x + w / 2, y + h), fill=frame, width=2)


def _arch(
    draw: ImageDraw.ImageDraw, wall: RGB, width: int, horizon: float, rng: random.Random
) -> None:
    x, r = rng.uniform(0.2, 0.8) * width, rng.uniform(0.25, 0.42) * width
    top = horizon * rng.uniform(0.25, 0.45)
    inside = mix(wall, rng.choice(((255, 255, 255), (110, 96, 110))), rng.uniform(0.15, 0.35))
    draw.polygon([*dome(x, top, r, r), (x + r, horizon), (x - r, horizon)], fill=inside)


def _lamps(
    draw: ImageDraw.ImageDraw, wall: RGB, width: int, horizon: float, rng: random.Random
) -> None:
    for _ in range(rng.randint(4, 9)):
        x, y = rng.uniform(0, width), rng.uniform(0, horizon * 0.8)
        r = rng.uniform(0.03, 0.1) * width
        light = rng.choice(((255, 244, 214), (255, 255, 255), (232, 240, 255)))
        draw.ellipse((x - r, y - r, x + r, y + r), fill=mix(wall, light, rng.uniform(0.3, 0.7)))


def _frames(
    draw: ImageDraw.ImageDraw, wall: RGB, width: int, horizon: float, rng: random.Random
) -> None:
    for x in (rng.uniform(0, 0.2), rng.uniform(0.65, 0.85)):
        y, w = horizon * rng.uniform(0.1, 0.35), width * rng.uniform(0.15, 0.25)
        box = (x * width, y, x * width + w, y + w * rng.uniform(1.0, 1.4))
        draw.rectangle(
            box, fill=mix(wall, (255, 255, 255), 0.4), outline=mix(wall, (60, 50, 50), 0.4)
        )


def _plant(
    draw: ImageDraw.ImageDraw, wall: RGB, width: int, horizon: float, rng: random.Random
) -> None:
    x = rng.choice((rng.uniform(0.02, 0.12), rng.uniform(0.88, 0.98))) * width
    leaf = mix(wall, (96, 140, 100), 0.55)
    for _ in range(9):
        dx, y = rng.uniform(-0.12, 0.12) * width, horizon - rng.uniform(0.1, 0.34) * horizon
        draw.line((x, horizon - 4, x + dx, y), fill=leaf, width=2)
        r = 0.035 * width
        draw.ellipse((x + dx - r, y - 1.6 * r, x + dx + r, y + r), fill=leaf)
    draw.rectangle(
        (x - 0.06 * width, horizon - 0.08 * horizon, x + 0.06 * width, horizon + 3),
        fill=mix(wall, (170, 110, 80), 0.5),
    )
