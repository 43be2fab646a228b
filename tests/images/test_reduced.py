"""Product pictures are decoded at a fraction of their size; hashes of both versions are known."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from PIL import Image

from operators.images.decode import decode
from operators.images.decoding_pool import DecodingPool
from operators.picture import REDUCED_SIDE, Picture, Wanted
from schemas.settings import ImageSettings
from tests.images import encoded_pictures as pictures

QUALITY = 95


def garment(width: int, height: int, mode: str = "RGB") -> Image.Image:
    return pictures.drawn(mode=mode).resize((width, height), Image.Resampling.BICUBIC)


def reduced(content: bytes, max_side: int = 1024) -> Picture:
    return decode(content, max_pixels=40_000_000, max_side=max_side, reduced=True)


def whole(content: bytes) -> Picture:
    return decode(content, max_pixels=40_000_000, max_side=1024)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((767, 1000), (767, 1000)),
        ((768, 1001), (384, 501)),
        ((801, 999), (401, 500)),
        ((1600, 1536), (400, 384)),
        ((3072, 3073), (384, 385)),
    ],
)
def test_the_shorter_side_keeps_what_encoders_take(
    kind: str, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    picture = reduced(pictures.encoded(garment(*size), kind, quality=QUALITY))
    assert picture.image.size == expected
    assert min(picture.image.size) >= REDUCED_SIDE
    difference = np.abs(
        np.asarray(picture.image, int)
        - np.asarray(garment(*size).resize(expected, Image.Resampling.BOX), int)
    )
    assert difference.mean() < 3


@pytest.mark.parametrize("mode", ["RGBA", "P", "L", "CMYK"])
def test_colours_are_those_of_the_whole_picture(mode: str) -> None:
    kind = "JPEG" if mode in ("L", "CMYK") else "PNG"
    content = pictures.encoded(garment(800, 1000, mode), kind, quality=QUALITY)
    small = whole(content).image.resize((400, 500), Image.Resampling.BOX)
    difference = np.abs(np.asarray(reduced(content).image, int) - np.asarray(small, int))
    assert difference.mean() < 3


def test_a_long_narrow_picture_is_limited_as_before() -> None:
    content = pictures.encoded(garment(800, 8000), "JPEG", quality=QUALITY)
    assert reduced(content).image.size == whole(content).image.size == (102, 1024)


def test_a_picture_on_its_side_is_reduced_and_put_upright() -> None:
    turned = Image.Exif()
    turned[274] = 6
    content = pictures.encoded(garment(800, 1000), "JPEG", exif=turned, quality=QUALITY)
    assert reduced(content).image.size == (500, 400)


def test_the_hash_of_a_whole_picture_is_the_one_that_is_stored() -> None:
    image = whole(pictures.PNG).image
    stored = hashlib.blake2b(f"{image.width}x{image.height}:".encode(), digest_size=16)
    stored.update(image.tobytes())
    assert whole(pictures.PNG).pixel_hash == stored.hexdigest()
    assert reduced(pictures.PNG).pixel_hash != stored.hexdigest()


def test_the_hash_of_a_reduced_picture_does_not_change() -> None:
    """Otherwise what is stored would be embedded again: a change makes a third version."""
    flat = pictures.encoded(Image.new("RGB", (800, 1000), (200, 30, 60)), "PNG")
    assert reduced(flat).pixel_hash == "2:3c477ad641157b82bafe7f0b9b60f49f"


async def test_a_known_hash_of_either_version_is_compared() -> None:
    content = pictures.encoded(garment(800, 1000), "JPEG", quality=QUALITY)
    other = pictures.encoded(garment(1000, 800), "JPEG", quality=QUALITY)
    pool = DecodingPool(ImageSettings(), workers=1)
    try:
        for known in (whole(content).pixel_hash, reduced(content).pixel_hash):
            for is_reduced in (False, True):
                wanted = Wanted(is_reduced, (None, known))
                same, another = (
                    await pool.decode(content, wanted),
                    await pool.decode(other, wanted),
                )
                expected = (reduced if is_reduced else whole)(content)
                assert (same.pixel_hash, same.image.size) == (
                    expected.pixel_hash,
                    expected.image.size,
                )
                assert same.has_hash(known)
                assert not another.has_hash(known)
    finally:
        await pool.close()


@pytest.mark.parametrize("is_reduced", [False, True])
def test_nothing_is_decoded_twice_for_hashes_of_the_wanted_version(is_reduced: bool) -> None:
    known = (reduced if is_reduced else whole)(pictures.JPEG).pixel_hash
    assert not Wanted(is_reduced, (known, None)).both_hashes
    assert Wanted(not is_reduced, (known, None)).both_hashes
