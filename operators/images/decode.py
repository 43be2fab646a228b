"""From bytes that came from anywhere to an upright RGB picture, or a clear refusal."""

from __future__ import annotations

import hashlib
import io

import numpy as np
from PIL import Image, UnidentifiedImageError

from operators.ports import Picture
from schemas.errors import ImageRefused

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "BMP")
"""Pillow's names of what shops serve. Each decoder more is more code that reads hostile bytes: in
particular TIFF (libtiff's many codecs) and EPS (starts a program) stay out."""

MIN_SIDE = 8
"""Pixels. Shops serve 1 x 1 pictures where they have none; below 8 there is no garment to see."""

REDUCING_GAP = 3.0
"""Pillow first averages whole blocks down to this many times the target size: 240 ms instead of
570 on 40 megapixels. From 3.0 on "indistinguishable in most cases", its documentation says."""

_TAKEN = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"GIF8")
"""How most of FORMATS begin; a file that begins so but cannot be opened is broken."""

_NOT_TAKEN = (
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"%PDF", "PDF"),
    (b"%!PS", "PostScript"),
    (b"\0\0\1\0", "ICO"),
    (b"8BPS", "Photoshop"),
)
_MARKUP = ((b"<svg", "SVG"), (b"<!doctype html", "HTML"), (b"<html", "HTML"), (b"<?xml", "XML"))

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation (tag 274, CIPA DC-008) -> what undoes it. 1 and anything else: nothing."""


def decode(content: bytes, *, max_pixels: int, max_side: int) -> Picture:
    """The first frame of ``content``, upright, RGB, alpha on white, no side over ``max_side``.

    The format is told by the bytes. Width times height is checked before any pixel is decoded.
    Raises ImageRefused. Blocks (tens of ms for a photograph); meant for a thread.
    """
    if not content:
        raise ImageRefused("the picture has no bytes", reason="empty")
    opened = _open(content, max_pixels)
    try:
        width, height = opened.size
        scale = min(1.0, max_side / max(width, height))
        target = (max(1, round(width * scale)), max(1, round(height * scale)))
        # JPEG only: decode at 1/2, 1/4 or 1/8, never below the target; far less work.
        opened.draft(None, target)
        orientation = _orientation(opened)
        opened.load()
        image = _in_colour(opened)
    except Exception as error:
        # Codecs fail on broken bytes with nearly every type of exception there is.
        raise ImageRefused(f"the picture is broken: {error}", reason="broken") from error
    if image.size != target:
        image = image.resize(target, Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)
    if image.mode == "RGBA":
        # Only now: what is left is small. (Pillow weights colours by alpha when it resizes.)
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image).convert("RGB")
    if orientation in _UPRIGHT:
        image = image.transpose(_UPRIGHT[orientation])
    return Picture(image, _hash(image))


def _open(content: bytes, max_pixels: int) -> Image.Image:
    """Reads the header only."""
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        raise _unknown(content) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        # Pillow's own limit, far above ours; it knows the size, we were not told.
        raise ImageRefused(str(error), reason="too-many-pixels") from error
    except Exception as error:
        raise ImageRefused(f"the picture is broken: {error}", reason="broken") from error
    width, height = image.size
    if width * height > max_pixels:
        raise ImageRefused(
            f"{width} x {height} pixels, more than {max_pixels:,}", reason="too-many-pixels"
        )
    if min(width, height) < MIN_SIDE:
        raise ImageRefused(f"{width} x {height} pixels: no picture of a thing", reason="too-small")
    return image


def _unknown(content: bytes) -> ImageRefused:
    """The refusal of bytes that are none of FORMATS, naming what they are where that is easy."""
    if content.startswith(_TAKEN):
        return ImageRefused("the picture is broken: its header cannot be read", reason="broken")
    begin = content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for mark, name in _MARKUP:
        if begin.startswith(mark) or (name == "SVG" and mark in begin):
            return ImageRefused(f"this is {name}, not a picture file", reason=name.lower())
    if content[4:8] == b"ftyp":
        name = "HEIC" if content[8:12] in (b"heic", b"heix", b"mif1", b"msf1") else "video"
        return ImageRefused(f"{name} is not taken; send {_list()}", reason="type")
    for mark, name in _NOT_TAKEN:
        if content.startswith(mark):
            return ImageRefused(f"{name} is not taken; send {_list()}", reason="type")
    return ImageRefused(f"not a picture file; send {_list()}", reason="not-an-image")


def _list() -> str:
    return ", ".join(FORMATS[:-1]) + " or " + FORMATS[-1]


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation; 1 when there is none or the EXIF data is broken (the picture isn't)."""
    try:
        return int(image.getexif().get(274, 1))
    except Exception:
        return 1


def _in_colour(image: Image.Image) -> Image.Image:
    """``image`` in RGBA when anything shines through, else in RGB."""
    if image.mode.startswith("I"):
        # Pillow clips when it converts 16-bit greys; their upper byte is the picture.
        grey = np.asarray(image).astype(np.uint32) >> 8
        return Image.fromarray(grey.clip(0, 255).astype(np.uint8)).convert("RGB")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _hash(image: Image.Image) -> str:
    """Equal for equal pixels, whatever file they came in; 128 bits against chance collisions."""
    digest = hashlib.blake2b(f"{image.width}x{image.height}:".encode(), digest_size=16)
    digest.update(image.tobytes())
    return digest.hexdigest()
