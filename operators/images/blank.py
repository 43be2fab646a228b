"""Pictures that show nothing, and white garments that would show nothing on white."""

from __future__ import annotations

from itertools import accumulate

from PIL import Image, ImageChops

NOISE = 6
"""Levels out of 255 around one colour that count as that colour: what compression adds."""
SPECKS = 0.002
"""Share of other pixels that shows no garment: 45 x 45 of 1,024 x 1,024, as a shop's watermark."""

WHITE = 235
"""Level from which a channel counts as white: shops cut out white garments with light shades."""
MOSTLY = 0.9
"""Share of white among the visible pixels from which a garment needs another ground than white."""
GROUND = (192, 192, 192)
"""Light grey: white stands out from it, and so do the shades of a white garment."""


def is_blank(image: Image.Image) -> bool:
    """Whether ``image`` (mode RGB) has one colour all over, as placeholders and spacers do."""
    allowed = SPECKS * image.width * image.height
    return all(_others(channel) <= allowed for channel in image.split())


def on_ground(image: Image.Image) -> Image.Image:
    """``image`` (mode RGBA) on white, or on grey when its visible pixels are nearly white; RGB."""
    ground = Image.new("RGBA", image.size, GROUND if _is_white_cut_out(image) else "white")
    return Image.alpha_composite(ground, image).convert("RGB")


def _others(channel: Image.Image) -> int:
    """How many pixels are outside of the fullest range of 2 * NOISE + 1 levels."""
    below = [0, *accumulate(channel.histogram())]
    width = 2 * NOISE + 1
    fullest = max(below[low + width] - below[low] for low in range(257 - width))
    return below[-1] - fullest


def _is_white_cut_out(image: Image.Image) -> bool:
    red, green, blue, alpha = image.split()
    visible = alpha.point([0] * 128 + [255] * 128)
    darkest = ImageChops.darker(ImageChops.darker(red, green), blue).histogram(visible)
    shown = sum(darkest)
    cut_out = shown < image.width * image.height
    return cut_out and shown > 0 and sum(darkest[WHITE:]) >= MOSTLY * shown
