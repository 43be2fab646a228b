from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from operators.images.decode import decode
from operators.ports import Picture
from schemas.errors import ImageRefused
from tests.images import encoded_pictures as pictures

MAX_SIDE = 256


def decode_limited(content: bytes) -> Picture:
    return decode(content, max_pixels=4_000_000, max_side=MAX_SIDE)


def similar(image: Image.Image, expected: Image.Image) -> bool:
    """Equal up to compression artefacts."""
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
def test_every_format_decodes_to_the_same_upright_rgb_picture(content: bytes) -> None:
    assert similar(decode_limited(content).image, pictures.drawn())


def test_grey_pictures_keep_their_brightness() -> None:
    grey = decode_limited(pictures.encoded(pictures.drawn(mode="L"), "PNG")).image
    assert similar(grey, pictures.drawn(mode="L").convert("RGB"))


def test_16_bit_grey_keeps_its_brightness() -> None:
    image = decode_limited(pictures.png_16_bit_grey()).image
    assert image.getpixel((5, 5)) == (0x20, 0x20, 0x20)
    assert image.getpixel((60, 5)) == (0xE0, 0xE0, 0xE0)


def test_black_and_white_pictures_become_rgb() -> None:
    image = decode_limited(pictures.encoded(pictures.drawn(mode="1"), "PNG")).image
    assert (image.mode, image.getpixel((5, 5))) == ("RGB", (255, 255, 255))


def test_transparency_becomes_white() -> None:
    clear = Image.new("RGBA", (64, 48), (255, 0, 0, 0))
    clear.paste((255, 0, 0, 128), (0, 0, 32, 48))
    image = decode_limited(pictures.encoded(clear, "PNG")).image
    assert image.getpixel((60, 5)) == (255, 255, 255)
    assert image.getpixel((5, 5)) == (255, 127, 127)


def test_a_transparent_palette_entry_becomes_white() -> None:
    image = decode_limited(pictures.palette_with_transparency()).image
    assert image.getpixel((5, 5)) == (255, 255, 255)
    assert image.getpixel((60, 5)) == (0, 0, 255)


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_large_pictures_are_scaled_down_to_the_longest_side(format: str) -> None:
    content = pictures.encoded(pictures.drawn((1200, 800)), format)
    assert similar(decode_limited(content).image, pictures.drawn((256, 171)))


def test_small_pictures_are_not_enlarged() -> None:
    assert decode_limited(pictures.JPEG).image.size == (64, 48)


def test_broken_exif_is_ignored() -> None:
    broken = (
        pictures.JPEG[:2] + b"\xff\xe1\x00\x10Exif\0\0II*\0\xff\xff\xff\xff" + pictures.JPEG[2:]
    )
    assert similar(decode_limited(broken).image, pictures.drawn())


def test_the_hash_depends_on_the_pixels_not_the_file() -> None:
    png = decode_limited(pictures.PNG)
    smaller_file = decode_limited(pictures.encoded(pictures.drawn(), "PNG", compress_level=9))
    bmp = decode_limited(pictures.encoded(pictures.drawn(), "BMP"))
    assert png.pixel_hash == smaller_file.pixel_hash == bmp.pixel_hash


def test_another_pixel_or_another_shape_changes_the_hash() -> None:
    changed = pictures.drawn()
    changed.putpixel((3, 40), (254, 0, 0))
    same_bytes_other_shape = Image.frombytes("RGB", (48, 64), pictures.drawn().tobytes())
    images = [pictures.drawn(), changed, same_bytes_other_shape]
    hashes = {decode_limited(pictures.encoded(image, "PNG")).pixel_hash for image in images}
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
def test_bad_bytes_are_refused_with_their_reason(content: bytes, reason: str) -> None:
    with pytest.raises(ImageRefused) as refusal:
        decode_limited(content)
    assert refusal.value.reason == reason
    assert str(refusal.value)


def test_a_picture_of_exactly_the_pixel_limit_is_accepted() -> None:
    content = pictures.encoded(Image.new("RGB", (2000, 2000), "red"), "JPEG")
    assert decode_limited(content).image.size == (256, 256)


@settings(max_examples=150, deadline=None)
@given(
    original=st.sampled_from(
        [pictures.JPEG, pictures.PNG, pictures.animated("GIF"), pictures.animated("WEBP")]
    ),
    edits=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=9),
    cut=st.floats(0, 1),
)
def test_a_damaged_file_is_decoded_or_refused(
    original: bytes, edits: list[tuple[float, int]], cut: float
) -> None:
    damaged = bytearray(original[: int(len(original) * cut)])
    for position, value in edits:
        if damaged:
            damaged[int(position * len(damaged))] = value
    try:
        picture = decode_limited(bytes(damaged))
    except ImageRefused:
        return
    assert picture.image.mode == "RGB"
    assert max(picture.image.size) <= MAX_SIDE
