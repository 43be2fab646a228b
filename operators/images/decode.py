"""Decodes untrusted bytes into an upright RGB picture, or refuses them with a reason."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

from PIL import Image, PngImagePlugin, UnidentifiedImageError

from operators.images.blank import is_blank, on_ground
from operators.images.colour import to_srgb, without_palette
from operators.images.structure import check_scans, check_segments
from operators.picture import REDUCED_HASH, REDUCED_SIDE, Picture
from schemas.errors import ImageRefused

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "BMP")
"""Pillow's names of the accepted formats, those that shops serve. Every further decoder widens the
attack surface; TIFF (libtiff's many codecs) and EPS (runs Ghostscript) in particular stay out."""

MIN_SIDE = 8
"""Pixels. Shops serve 1 x 1 placeholders; nothing smaller than 8 shows a garment."""

MAX_FRAMES = 10
"""Frames of an animation that are decoded to find one that shows something."""

REDUCING_GAP = 3.0
"""Pillow first box-averages down to this many times the target size: 240 ms instead of 570 on 40
megapixels. Its documentation: from 3.0 on "indistinguishable from fair resampling in most cases".
"""

# Bytes of a chunk after decompression. Pillow refuses from 1 MiB on; colour profiles reach 2.5.
PngImagePlugin.MAX_TEXT_CHUNK = 4 * 2**20

_ACCEPTED_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"GIF8")
"""First bytes of most of FORMATS. A file with such a signature that cannot be opened is broken."""

_REFUSED_SIGNATURES = (
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"%PDF", "PDF"),
    (b"%!PS", "PostScript"),
    (b"\0\0\1\0", "ICO"),
    (b"8BPS", "Photoshop"),
)
_MARKUP_PREFIXES = (
    (b"<svg", "SVG"),
    (b"<!doctype html", "HTML"),
    (b"<html", "HTML"),
    (b"<?xml", "XML"),
)

_UNDO_ORIENTATION = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation (CIPA DC-008) -> the transposition that undoes it. 1 is upright; other values
are invalid and ignored."""

_ORIENTATION_TAG = 274


def decode(content: bytes, *, max_pixels: int, max_side: int, reduced: bool = False) -> Picture:
    """Decode ``content``: upright, sRGB, without transparency, scaled down so that no side exceeds
    ``max_side`` pixels. Of an animation, the first frame that shows something.

    ``reduced``: a half, a quarter or an eighth of each side is enough, down to REDUCED_SIDE.

    The format is detected from the bytes. ``max_pixels`` (width x height) is checked before any
    pixel is decoded, and is the limit of all frames together. Raises ImageRefused or MemoryError.
    Blocking (tens of ms for a photograph).
    """
    if not content:
        raise ImageRefused("the picture has no bytes", reason="empty")
    check_segments(content)
    opened = _open(content, max_pixels)
    width, height = opened.size
    check_scans(content, width * height)
    sizes = _Sizes.of(opened.size, _factor(width, height) if reduced else 1, max_side)
    image = _render(opened, sizes)
    blank = is_blank(image)
    for frame in range(1, min(MAX_FRAMES, max_pixels // (width * height))):
        if not blank:
            break
        try:
            opened.seek(frame)
            later = _render(opened, sizes)
        except MemoryError:
            raise
        except Exception:  # there is no such frame, or it is broken
            break
        if not is_blank(later):
            image, blank = later, False
    return Picture(image, _reduced_hash(image) if reduced else _pixel_hash(image), blank)


def _factor(width: int, height: int) -> int:
    """By how much each side is divided, so that the shorter one keeps REDUCED_SIDE."""
    return next((f for f in (8, 4, 2) if min(width, height) >= f * REDUCED_SIDE), 1)


@dataclass(frozen=True, slots=True)
class _Sizes:
    """Of one picture, width and height in pixels."""

    whole: tuple[int, int]
    factor: int
    """By which each side is divided first."""
    least: tuple[int, int]
    """What a JPEG must have when it is decoded at a fraction of its size."""
    target: tuple[int, int]

    @classmethod
    def of(cls, whole: tuple[int, int], factor: int, max_side: int) -> _Sizes:
        # Rounded up, as libjpeg and Pillow do.
        width, height = (-(-side // factor) for side in whole)
        if max(width, height) <= max_side:
            least = (whole[0] // factor, whole[1] // factor)
            return cls(whole, factor, least, (width, height))
        scale = max_side / max(whole)
        target = (max(1, round(whole[0] * scale)), max(1, round(whole[1] * scale)))
        return cls(whole, factor, target, target)


def _render(opened: Image.Image, sizes: _Sizes) -> Image.Image:
    """The frame at which ``opened`` stands, in its final form. Raises ImageRefused."""
    try:
        # Affects JPEG only: decodes at 1/2, 1/4 or 1/8. Far less work.
        opened.draft(None, sizes.least)
        orientation = _orientation(opened)
        opened.load()
        image = without_palette(opened)
    except MemoryError:
        raise
    except Exception as error:
        # Codecs raise almost any type of exception on broken bytes.
        raise ImageRefused(f"the picture is broken: {error}", reason="broken") from error
    if sizes.factor > 1 and image.size == sizes.whole:
        image = image.reduce(sizes.factor)
    if image.size != sizes.target:
        image = image.resize(sizes.target, Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)
    # Colours and transparency after the resize, when the picture is small. (Pillow resizes with
    # premultiplied alpha.)
    image = to_srgb(image, opened.info.get("icc_profile"))
    if image.mode == "RGBA":
        image = on_ground(image)
    if orientation in _UNDO_ORIENTATION:
        image = image.transpose(_UNDO_ORIENTATION[orientation])
    return image


def _open(content: bytes, max_pixels: int) -> Image.Image:
    """Read the header and check the size. Raises ImageRefused."""
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        raise _format_refusal(content) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        # Pillow's own limit, far above ours; only its message has the size.
        raise ImageRefused(str(error), reason="too-many-pixels") from error
    except Exception as error:
        raise ImageRefused(f"the picture is broken: {error}", reason="broken") from error
    width, height = image.size
    if width * height > max_pixels:
        raise ImageRefused(
            f"the picture has {width} x {height} pixels, more than {max_pixels:,}",
            reason="too-many-pixels",
        )
    if min(width, height) < MIN_SIDE:
        raise ImageRefused(
            f"the picture has {width} x {height} pixels, less than {MIN_SIDE} on a side",
            reason="too-small",
        )
    return image


def _format_refusal(content: bytes) -> ImageRefused:
    """The error for bytes in none of FORMATS; names the actual type where it is known."""
    if content.startswith(_ACCEPTED_SIGNATURES):
        return ImageRefused("the picture is broken: its header cannot be read", reason="broken")
    start = content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for prefix, name in _MARKUP_PREFIXES:
        if start.startswith(prefix) or (name == "SVG" and prefix in start):
            return ImageRefused(f"this is {name}, not a picture file", reason=name.lower())
    if content[4:8] == b"ftyp":
        name = "HEIC" if content[8:12] in (b"heic", b"heix", b"mif1", b"msf1") else "video"
        return _type_refusal(name)
    for signature, name in _REFUSED_SIGNATURES:
        if content.startswith(signature):
            return _type_refusal(name)
    return ImageRefused(f"not a picture file; send {_format_list()}", reason="not-an-image")


def _type_refusal(name: str) -> ImageRefused:
    return ImageRefused(f"{name} is not accepted; send {_format_list()}", reason="type")


def _format_list() -> str:
    return ", ".join(FORMATS[:-1]) + " or " + FORMATS[-1]


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation; 1 when it is missing or the EXIF data is broken."""
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:
        return 1


def _pixel_hash(image: Image.Image) -> str:
    """BLAKE2b of size and pixels, 32 hexadecimal digits; independent of the file format."""
    digest = hashlib.blake2b(f"{image.width}x{image.height}:".encode(), digest_size=16)
    digest.update(image.tobytes())
    return digest.hexdigest()


def _reduced_hash(image: Image.Image) -> str:
    """SHA-256 of size and pixels, cut to 32 digits: processors compute it, BLAKE2b they do not."""
    digest = hashlib.sha256(f"{image.width}x{image.height}:".encode())
    digest.update(image.tobytes())
    return REDUCED_HASH + digest.hexdigest()[:32]
