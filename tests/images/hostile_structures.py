"""Small files that ask for hours of work."""

from __future__ import annotations

import struct

from tests.images import encoded_pictures as pictures


def jpeg_of_scans(side: int, scans: int, *, between: bytes = b"") -> bytes:
    """A progressive JPEG of ``scans`` empty scans, each of which goes over all its pixels."""

    def segment(mark: int, data: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, mark, 2 + len(data)) + data

    def table(kind: int, symbol: int) -> bytes:
        return segment(0xC4, bytes([kind << 4, 1, *[0] * 15, symbol]))

    def scan(first: int, last: int, bits: str) -> bytes:
        bits += "1" * (-len(bits) % 8)
        data = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
        return segment(0xDA, bytes([1, 1, 0, first, last, 0])) + data

    blocks = ((side + 7) // 8) ** 2
    runs, left = "", blocks
    while left > 0:  # runs of blocks that end at once (EOB14)
        run = max(min(left, 32767), 16384)
        runs += "0" + format(run - 16384, "014b")
        left -= run
    return (
        b"\xff\xd8"
        + segment(0xDB, bytes([0, *[1] * 64]))
        + segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + bytes([1, 0x11, 0]))
        + table(0, 0)
        + table(1, 0xE0)
        + scan(0, 0, "0" * blocks)
        + (between + scan(1, 63, runs)) * scans
        + b"\xff\xd9"
    )


def jpeg_of_segments(count: int) -> bytes:
    """A small JPEG with ``count`` empty comments."""
    return pictures.JPEG[:2] + b"\xff\xfe\0\2" * count + pictures.JPEG[2:]


def png_of_chunks(count: int) -> bytes:
    return pictures.PNG[:33] + pictures.png_chunk(b"prVt", b"") * count + pictures.PNG[33:]


def webp_of_chunks(count: int) -> bytes:
    webp = pictures.encoded(pictures.drawn(), "WEBP")
    body = webp[8:] + b"ABCD\0\0\0\0" * count
    return b"RIFF" + struct.pack("<I", len(body)) + body


def gif_of_blocks(count: int) -> bytes:
    """A small GIF whose comment is cut into ``count`` letters."""
    gif = pictures.encoded(pictures.drawn(), "GIF")
    at = 13 + 3 * 2 ** (gif[10] % 8 + 1)
    return gif[:at] + b"!\xfe" + b"\1x" * count + b"\0" + gif[at:]
