"""How much work a picture's file asks for, estimated from its structure before anything is decoded.

Width times height bounds the memory of a picture, not the time: a progressive JPEG may go over all
its pixels in thousands of scans, a PNG may be cut into a million chunks.
"""

from __future__ import annotations

import re

from schemas.errors import ImageRefused

MAX_SCANS = 100
"""Of a JPEG. libjpeg's own script for progressive files has 10; the most elaborate optimisers
write about 60."""

MAX_SCANNED_PIXELS = 600_000_000
"""Scans times pixels of a JPEG: 40 megapixels in 15 scans, about 4 s of one core."""

MAX_SEGMENTS = 10_000
"""Segments of a JPEG before its first scan, chunks of a PNG or WebP, blocks of a GIF before its
first frame. A PNG of 20 MiB in chunks of 8 KiB, the usual size, has 2,560."""

_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_START_OF_SCAN, _END = b"\xff\xda", b"\xff\xd9"
_MARK = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")
"""Start of a segment. In a scan's data 0xFF is followed by 0 or a restart mark."""
_GIF_EXTENSION = 0x21


def check_segments(content: bytes) -> None:
    """Raise ImageRefused when ``content`` has so many pieces that its header takes long to read."""
    if content.startswith(b"\xff\xd8"):
        _check_jpeg(content)
    elif content.startswith(b"\x89PNG\r\n\x1a\n"):
        _check_png(content)
    elif content.startswith(b"RIFF"):
        _check_webp(content)
    elif content.startswith(b"GIF8"):
        _check_gif(content)


def check_scans(content: bytes, pixels: int) -> None:
    """Raise ImageRefused when a JPEG of ``pixels`` pixels goes over them too often.

    Call it after :func:`check_segments`.
    """
    if not content.startswith(b"\xff\xd8"):
        return
    allowed = max(1, min(MAX_SCANS, MAX_SCANNED_PIXELS // pixels))
    # The quick count includes what only looks like a scan: thumbnails, films after the picture.
    if content.count(_START_OF_SCAN) > allowed and _count_scans(content, allowed) > allowed:
        raise ImageRefused(
            f"a JPEG of {pixels:,} pixels in more than {allowed} scans", reason="too-complex"
        )


def _count_scans(content: bytes, enough: int) -> int:
    """Number of scans up to the end of the picture; counting stops above ``enough``."""
    scans, at = 0, 2
    for _ in range(MAX_SEGMENTS):
        found = _MARK.search(content, at)
        if found is None or found[0] == _END or scans > enough:
            return scans
        scans += found[0] == _START_OF_SCAN
        at = _next_segment(content, found.start())
    raise _too_many("segments")


def _check_jpeg(content: bytes) -> None:
    at = 2
    for _ in range(MAX_SEGMENTS):
        if at + 4 > len(content) or content[at : at + 2] == _START_OF_SCAN:
            return
        at = _next_segment(content, at)
    raise _too_many("segments")


def _next_segment(content: bytes, at: int) -> int:
    mark = content[at + 1]
    if content[at] != 0xFF or mark == 0xFF:
        return at + 1
    if mark in _WITHOUT_LENGTH:
        return at + 2
    return at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")


def _check_png(content: bytes) -> None:
    at = 8
    for _ in range(MAX_SEGMENTS):
        if at + 12 > len(content) or content[at + 4 : at + 8] == b"IEND":
            return
        at += 12 + int.from_bytes(content[at : at + 4], "big")
    raise _too_many("chunks")


def _check_webp(content: bytes) -> None:
    at = 12
    for _ in range(MAX_SEGMENTS):
        if at + 8 > len(content):
            return
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
    raise _too_many("chunks")


def _check_gif(content: bytes) -> None:
    if len(content) < 13:
        return
    flags = content[10]
    at = 13 + (3 * 2 ** (flags % 8 + 1) if flags & 0x80 else 0)
    inside = False
    for _ in range(MAX_SEGMENTS):
        if at + 2 > len(content) or (not inside and content[at] != _GIF_EXTENSION):
            return
        if not inside:
            at += 2
        elif content[at]:
            at += 1 + content[at]
            continue
        else:
            at += 1
        inside = not inside
    raise _too_many("blocks")


def _too_many(pieces: str) -> ImageRefused:
    return ImageRefused(f"more than {MAX_SEGMENTS:,} {pieces}", reason="too-complex")
