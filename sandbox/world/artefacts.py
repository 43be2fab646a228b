"""Artefacts of image generators: small warps, blurred spots, a tint, compression.

Weak enough to keep type, colour and pattern recognisable, strong enough that no region of a look is
a pixel copy of a product photograph.
"""

import io
import random

from PIL import Image, ImageDraw, ImageFilter

_GRID = (4, 6)
_WARP = 0.008  # largest shift of a grid point, as a share of the picture's width
_SPOTS = 2


def add_artefacts(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Add the artefacts of an image generator; the size stays the same."""
    picture = _warp(picture, rng)
    picture = _blur_spots(picture, rng)
    picture = _tint(picture, rng)
    return _compress(picture, rng)


def _warp(picture: Image.Image, rng: random.Random) -> Image.Image:
    width, height = picture.size
    columns, rows = _GRID
    reach = _WARP * width

    def moved(i: int, j: int) -> tuple[float, float]:
        x, y = width * i / columns, height * j / rows
        if i in (0, columns) or j in (0, rows):
            return x, y
        return x + rng.uniform(-reach, reach), y + rng.uniform(-reach, reach)

    points = {(i, j): moved(i, j) for j in range(rows + 1) for i in range(columns + 1)}
    mesh = []
    for j in range(rows):
        for i in range(columns):
            box = (
                width * i // columns,
                height * j // rows,
                width * (i + 1) // columns,
                height * (j + 1) // rows,
            )
            corners = (points[i, j], points[i, j + 1], points[i + 1, j + 1], points[i + 1, j])
            mesh.append((box, tuple(value for corner in corners for value in corner)))
    return picture.transform(picture.size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)


def _blur_spots(picture: Image.Image, rng: random.Random) -> Image.Image:
    width, height = picture.size
    where = Image.new("L", (width // 8, height // 8), 0)
    draw = ImageDraw.Draw(where)
    for _ in range(_SPOTS):
        x, y = rng.uniform(0, width / 8), rng.uniform(0, height / 8)
        r = rng.uniform(0.06, 0.14) * width / 8
        draw.ellipse((x - r, y - r, x + r, y + r), fill=rng.randint(120, 230))
    mask = where.filter(ImageFilter.GaussianBlur(1.5)).resize(
        picture.size, Image.Resampling.BILINEAR
    )
    soft = picture.filter(ImageFilter.BoxBlur(width * rng.uniform(0.004, 0.008)))
    return Image.composite(soft, picture, mask)


def _tint(picture: Image.Image, rng: random.Random) -> Image.Image:
    light = rng.uniform(0.93, 1.05)
    tint = [light * rng.uniform(0.97, 1.03) for _ in range(3)]
    table = [min(255, int(value * factor)) for factor in tint for value in range(256)]
    return picture.point(table)


def _compress(picture: Image.Image, rng: random.Random) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=rng.randint(62, 90))
    buffer.seek(0)
    return Image.open(buffer).convert("RGB")
