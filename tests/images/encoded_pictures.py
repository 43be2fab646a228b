"""Encoded pictures, valid and hostile."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from operators.images.decode import decode


def drawn(size: tuple[int, int] = (64, 48), mode: str = "RGB") -> Image.Image:
    """Red left half, blue right half, a white bar along the top."""
    image = Image.new("RGB", size, "red")
    pen = ImageDraw.Draw(image)
    pen.rectangle((size[0] // 2, 0, size[0], size[1]), fill="blue")
    pen.rectangle((0, 0, size[0], size[1] // 4), fill="white")
    return image.convert(mode)


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


JPEG = encoded(drawn(), "JPEG", quality=95)
PNG = encoded(drawn(), "PNG")
PNG_HASH = decode(PNG, max_pixels=10_000, max_side=256).pixel_hash


def animated(format: str) -> bytes:
    frames = [drawn(), Image.new("RGB", (64, 48), "green")]
    return encoded(frames[0], format, save_all=True, append_images=frames[1:], duration=50)


def oriented(orientation: int) -> bytes:
    """A JPEG that is upright after its EXIF orientation has been applied."""
    turned = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    image = drawn() if turned is None else drawn().transpose(turned)
    exif = Image.Exif()
    exif[274] = orientation
    return encoded(image, "JPEG", quality=95, exif=exif)


def png_16_bit_grey() -> bytes:
    """Left half dark, right half bright, in 16 bits."""
    values = np.full((48, 64), 0x2000, dtype=np.uint16)
    values[:, 32:] = 0xE000
    return encoded(Image.fromarray(values), "PNG")


def palette_with_transparency() -> bytes:
    image = Image.new("P", (64, 48), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.paste(1, (32, 0, 64, 48))
    return encoded(image, "PNG", transparency=0)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_that_claims(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG with this size in its header; ``data``: its raw scan lines, usually too few."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(data))
        + png_chunk(b"IEND", b"")
    )


def png_text_bomb() -> bytes:
    """A small picture with a compressed comment of 64 MB."""
    bomb = b"comment\0\0" + zlib.compress(b"a" * 64_000_000, 9)
    return PNG[:33] + png_chunk(b"zTXt", bomb) + PNG[33:]


SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><rect/></svg>'
HTML = b"<!DOCTYPE html><html><body>Please log in</body></html>"
