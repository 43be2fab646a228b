"""Other hands and other light for the drawn world: filters for its pictures."""

from __future__ import annotations

from PIL import Image, ImageChops, ImageEnhance, ImageFilter, ImageOps


def as_drawn(picture: Image.Image) -> Image.Image:
    """Unchanged."""
    return picture


def as_by_pencil(picture: Image.Image) -> Image.Image:
    """Soft, paler colours within dark outlines."""
    edges = ImageOps.invert(picture.convert("L").filter(ImageFilter.FIND_EDGES)).convert("RGB")
    soft = ImageEnhance.Color(picture.filter(ImageFilter.GaussianBlur(2))).enhance(0.6)
    return ImageChops.multiply(soft, edges.filter(ImageFilter.MinFilter(3)))


def in_warm_light(picture: Image.Image) -> Image.Image:
    """More red and less blue."""
    factors = (1.12, 1.0, 0.8)
    return picture.point([min(255, int(v * factor)) for factor in factors for v in range(256)])
