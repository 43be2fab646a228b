from __future__ import annotations

import encoded_pictures as pictures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from operators.images.decode import decode
from schemas.errors import ImageRefused

LIMITS = {"max_pixels": 4_000_000, "max_side": 256}


def similar(image: Image.Image, expected: Image.Image) -> bool:
    """Equal but for what lossy coding does."""
    if image.size != expected.size or image.mode != "RGB":
        return False
    difference = np.abs(np.asarray(image, dtype=int) - np.asarray(expected, dtype=int))
    return bool(difference.mean() < 6)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(pictures.JPEG, id="jpeg"),
        pytest.param(pictures.PNG, id="png"),
        pytest.param(pictures.encoded(pictures.drawn(), "WEBP", quality=95), id="webp"),
        pytest.param(pictures.encoded(pictures.drawn(), "GIF"), id="gif"),
        pytest.param(pictures.encoded(pictures.drawn(), "BMP"), id="bmp"),
        pytest.param(pictures.encoded(pictures.drawn(), "AVIF", quality=95), id="avif"),
        pytest.param(
            pictures.encoded(pictures.drawn(), "JPEG", quality=95, progressive=True),
            id="progressive-jpeg",
        ),
        pytest.param(
            pictures.encoded(pictures.drawn(mode="CMYK"), "JPEG", quality=95), id="cmyk-jpeg"
        ),
        pytest.param(pictures.encoded(pictures.drawn(mode="P"), "PNG"), id="palette-png"),
        pytest.param(pictures.encoded(pictures.drawn(mode="RGBA"), "PNG"), id="opaque-rgba"),
        pytest.param(pictures.animated("GIF"), id="animated-gif"),
        pytest.param(pictures.animated("WEBP"), id="animated-webp"),
        pytest.param(pictures.animated("PNG"), id="animated-png"),
        *(pytest.param(pictures.oriented(tag), id=f"exif-{tag}") for tag in range(1, 9)),
    ],
)
def test_every_kind_of_file_becomes_the_same_upright_rgb_picture(content):
    assert similar(decode(content, **LIMITS).image, pictures.drawn())


def test_grey_pictures_keep_their_brightness():
    grey = decode(pictures.encoded(pictures.drawn(mode="L"), "PNG"), **LIMITS).image
    assert similar(grey, pictures.drawn(mode="L").convert("RGB"))


def test_16_bit_grey_keeps_its_brightness():
    image = decode(pictures.png_16_bit_grey(), **LIMITS).image
    assert image.getpixel((5, 5)) == (0x20, 0x20, 0x20)
    assert image.getpixel((60, 5)) == (0xE0, 0xE0, 0xE0)


def test_black_and_white_pictures_become_rgb():
    image = decode(pictures.encoded(pictures.drawn(mode="1"), "PNG"), **LIMITS).image
    assert (image.mode, image.getpixel((5, 5))) == ("RGB", (255, 255, 255))


def test_what_is_transparent_becomes_white():
    clear = Image.new("RGBA", (64, 48), (255, 0, 0, 0))
    clear.paste((255, 0, 0, 128), (0, 0, 32, 48))
    image = decode(pictures.encoded(clear, "PNG"), **LIMITS).image
    assert image.getpixel((60, 5)) == (255, 255, 255)
    assert image.getpixel((5, 5)) == (255, 127, 127)


def test_a_transparent_palette_entry_becomes_white():
    image = decode(pictures.palette_with_transparency(), **LIMITS).image
    assert image.getpixel((5, 5)) == (255, 255, 255)
    assert image.getpixel((60, 5)) == (0, 0, 255)


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_large_pictures_are_reduced_to_the_longest_side(format):
    content = pictures.encoded(pictures.drawn((1200, 800)), format)
    assert similar(decode(content, **LIMITS).image, pictures.drawn((256, 171)))


def test_small_pictures_are_not_enlarged():
    assert decode(pictures.JPEG, **LIMITS).image.size == (64, 48)


def test_broken_exif_does_not_spoil_the_picture():
    broken = (
        pictures.JPEG[:2] + b"\xff\xe1\x00\x10Exif\0\0II*\0\xff\xff\xff\xff" + pictures.JPEG[2:]
    )
    assert similar(decode(broken, **LIMITS).image, pictures.drawn())


def test_equal_pixels_have_equal_hashes_whatever_the_file():
    png = decode(pictures.PNG, **LIMITS)
    smaller_file = decode(pictures.encoded(pictures.drawn(), "PNG", compress_level=9), **LIMITS)
    bmp = decode(pictures.encoded(pictures.drawn(), "BMP"), **LIMITS)
    assert png.pixel_hash == smaller_file.pixel_hash == bmp.pixel_hash


def test_one_other_pixel_or_another_shape_is_another_hash():
    changed = pictures.drawn()
    changed.putpixel((3, 40), (254, 0, 0))
    same_bytes_other_shape = Image.frombytes("RGB", (48, 64), pictures.drawn().tobytes())
    images = [pictures.drawn(), changed, same_bytes_other_shape]
    hashes = {decode(pictures.encoded(image, "PNG"), **LIMITS).pixel_hash for image in images}
    assert len(hashes) == 3


REFUSED = {
    "empty": (b"", "empty"),
    "text": (b"Hello, I am a picture.", "not-an-image"),
    "zeros": (bytes(1000), "not-an-image"),
    "svg": (pictures.SVG, "svg"),
    "svg-without-prolog": (b"<svg onload='x()'></svg>", "svg"),
    "html": (pictures.HTML, "html"),
    "html-with-bom": (b"\xef\xbb\xbf\n<html></html>", "html"),
    "xml": (b"<?xml version='1.0'?><rss/>", "xml"),
    "pdf": (b"%PDF-1.7\n", "type"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "type"),
    "tiff": (pictures.encoded(pictures.drawn(), "TIFF"), "type"),
    "ico": (pictures.encoded(pictures.drawn(), "ICO"), "type"),
    "heic": (b"\0\0\0\x18ftypheic" + bytes(40), "type"),
    "mp4": (b"\0\0\0\x18ftypisom" + bytes(40), "type"),
    "truncated-jpeg": (pictures.JPEG[: len(pictures.JPEG) // 2], "broken"),
    "truncated-png": (pictures.PNG[: len(pictures.PNG) // 2], "broken"),
    "truncated-webp": (pictures.encoded(pictures.drawn(), "WEBP")[:60], "broken"),
    "truncated-gif": (pictures.encoded(pictures.drawn(), "GIF")[:60], "broken"),
    "jpeg-header-only": (pictures.JPEG[:20], "broken"),
    "png-signature-only": (pictures.PNG[:8], "broken"),
    "png-without-pixels": (pictures.png_that_claims(100, 100), "broken"),
    "png-wrong-header-checksum": (pictures.PNG[:29] + bytes(4) + pictures.PNG[33:], "broken"),
    "png-text-bomb": (pictures.png_text_bomb(), "broken"),
    "png-bomb": (pictures.png_that_claims(60_000, 60_000, bytes(1_000_000)), "too-many-pixels"),
    "50-megapixels": (pictures.png_that_claims(10_000, 5_000), "too-many-pixels"),
    "just-too-many-pixels": (pictures.png_that_claims(2_001, 2_000), "too-many-pixels"),
    "no-width": (pictures.png_that_claims(0, 100), "broken"),
    "1-pixel": (pictures.encoded(Image.new("RGB", (1, 1)), "PNG"), "too-small"),
    "1-pixel-gif": (pictures.encoded(Image.new("P", (1, 1)), "GIF"), "too-small"),
    "a-line": (pictures.encoded(Image.new("RGB", (2000, 1)), "PNG"), "too-small"),
}


@pytest.mark.parametrize(("content", "reason"), REFUSED.values(), ids=REFUSED)
def test_bad_bytes_are_refused_with_their_reason(content, reason):
    with pytest.raises(ImageRefused) as refusal:
        decode(content, **LIMITS)
    assert refusal.value.reason == reason
    assert str(refusal.value)


def test_a_picture_of_exactly_the_pixel_limit_is_taken():
    content = pictures.encoded(Image.new("RGB", (2000, 2000), "red"), "JPEG")
    assert decode(content, **LIMITS).image.size == (256, 256)


@settings(max_examples=150, deadline=None)
@given(
    original=st.sampled_from(
        [pictures.JPEG, pictures.PNG, pictures.animated("GIF"), pictures.animated("WEBP")]
    ),
    places=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=9),
    cut=st.floats(0, 1),
)
def test_damaged_files_give_a_picture_or_a_refusal_and_nothing_else(original, places, cut):
    damaged = bytearray(original[: int(len(original) * cut)])
    for place, value in places:
        if damaged:
            damaged[int(place * len(damaged))] = value
    try:
        picture = decode(bytes(damaged), **LIMITS)
    except ImageRefused:
        return
    assert picture.image.mode == "RGB"
    assert max(picture.image.size) <= LIMITS["max_side"]
