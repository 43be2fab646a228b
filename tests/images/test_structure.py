"""Files that ask for far more work than their size suggests are refused before it is done."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from PIL import Image

from operators.images.decode import decode
from schemas.errors import ImageRefused
from tests.images import encoded_pictures as pictures
from tests.images import hostile_structures as hostile

MANY = 20_000


def refusal_of(content: bytes) -> str:
    with pytest.raises(ImageRefused) as refusal:
        decode(content, max_pixels=40_000_000, max_side=256)
    return refusal.value.reason


HOSTILE = {
    "jpeg-scans": lambda: hostile.jpeg_of_scans(64, 200),
    "jpeg-scans-of-many-pixels": lambda: hostile.jpeg_of_scans(6320, 20),
    "jpeg-scans-behind-a-false-end": lambda: hostile.jpeg_of_scans(
        64, 200, between=b"\xff\xfe\0\4\xff\xd9"
    ),
    "jpeg-scans-among-comments": lambda: hostile.jpeg_of_scans(
        64, 101, between=b"\xff\xfe\0\2" * 200
    ),
    "jpeg-segments": lambda: hostile.jpeg_of_segments(MANY),
    "png-chunks": lambda: hostile.png_of_chunks(MANY),
    "webp-chunks": lambda: hostile.webp_of_chunks(MANY),
    "gif-blocks": lambda: hostile.gif_of_blocks(MANY),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_structure_is_refused(make: Callable[[], bytes]) -> None:
    assert refusal_of(make()) == "too-complex"


def test_nothing_is_decoded_before_the_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(image: Image.Image) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(Image.Image, "load", load)
    assert refusal_of(hostile.jpeg_of_scans(6320, 100)) == "too-complex"


ORDINARY = {
    "few-scans": lambda: hostile.jpeg_of_scans(64, 60),
    "progressive": lambda: pictures.encoded(pictures.drawn((900, 900)), "JPEG", progressive=True),
    "as-many-segments-as-photographs-have": lambda: hostile.jpeg_of_segments(400),
    "png-in-small-chunks": lambda: hostile.png_of_chunks(2_560),
    "gif-with-a-comment": lambda: hostile.gif_of_blocks(400),
    "a-film-after-the-picture": lambda: pictures.JPEG + b"\xff\xda" * 5_000,
}


@pytest.mark.parametrize("make", ORDINARY.values(), ids=ORDINARY)
def test_ordinary_structures_are_accepted(make: Callable[[], bytes]) -> None:
    decode(make(), max_pixels=40_000_000, max_side=256)


def test_a_large_photograph_in_one_scan_is_accepted() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (7000, 5700), "red").save(buffer, "JPEG", quality=20)
    decode(buffer.getvalue(), max_pixels=40_000_000, max_side=256)
