"""A decoded picture. Apart from the ports, because decoding processes load nothing else of them."""

from __future__ import annotations

from dataclasses import dataclass

from PIL.Image import Image


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded picture: sRGB, upright, without transparency."""

    image: Image
    pixel_hash: str
    """Hex digest of size and decoded pixels; independent of the file format."""
    blank: bool = False
    """It has one colour all over: a placeholder or a spacer."""
