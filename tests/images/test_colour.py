"""Colours are preserved whatever the colour space of the file."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from PIL import Image

from operators.images.decode import decode
from tests.images import colour_profiles as profiles
from tests.images.encoded_pictures import drawn, encoded

RED, BROWN, TEAL, OFF_WHITE = (200, 30, 40), (110, 70, 40), (90, 120, 120), (240, 236, 228)
COLOURS = [RED, BROWN, TEAL, OFF_WHITE]
SPACES = {
    "adobe-rgb": profiles.ADOBE_RGB,
    "display-p3": profiles.DISPLAY_P3,
    "prophoto": profiles.PROPHOTO,
}


def decoded(content: bytes) -> Image.Image:
    return decode(content, max_pixels=4_000_000, max_side=64).image


def middle(image: Image.Image) -> tuple[int, ...]:
    colour = image.getpixel((image.width // 2, image.height // 2))
    assert isinstance(colour, tuple)
    return colour


def within(colour: tuple[int, ...], expected: tuple[int, ...], levels: int) -> bool:
    return max(abs(a - b) for a, b in zip(colour, expected, strict=True)) <= levels


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_a_colour_in_a_wider_space_stays_that_colour(
    space: profiles.Space, colour: tuple[int, int, int], format: str
) -> None:
    numbers = space.numbers_of(profiles.srgb_to_xyz(colour))
    assert not within(numbers, colour, 3) or colour == OFF_WHITE
    image = Image.new("RGB", (200, 200), numbers)
    exactly: dict[str, dict[str, Any]]
    exactly = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}

    options = exactly.get(format, {})
    content = encoded(image, format, icc_profile=profiles.rgb_profile(space), **options)
    # AVIF rounds the numbers by up to 2 levels, which wide spaces amplify.
    assert within(middle(decoded(content)), colour, 6 if format == "AVIF" else 3)


def test_transparency_survives_the_conversion() -> None:
    numbers = profiles.ADOBE_RGB.numbers_of(profiles.srgb_to_xyz(RED))
    image = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    image.paste((*numbers, 255), (16, 16, 48, 48))
    picture = decoded(encoded(image, "PNG", icc_profile=profiles.rgb_profile(profiles.ADOBE_RGB)))
    assert within(middle(picture), RED, 3)
    assert picture.getpixel((2, 2)) == (255, 255, 255)


def test_a_palette_has_the_colours_of_its_profile() -> None:
    numbers = profiles.PROPHOTO.numbers_of(profiles.srgb_to_xyz(RED))
    image = Image.new("P", (64, 64), 0)
    image.putpalette([*numbers, 0, 0, 0])
    content = encoded(image, "PNG", icc_profile=profiles.rgb_profile(profiles.PROPHOTO))
    assert within(middle(decoded(content)), RED, 3)


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_grey_of_another_gamma_keeps_its_brightness(mode: str) -> None:
    image = Image.new(mode, (64, 64), 128 if mode == "L" else (128, 255))
    linear = (128 / 255) ** 1.0
    expected = round(255 * (1.055 * linear ** (1 / 2.4) - 0.055))
    picture = decoded(encoded(image, "PNG", icc_profile=profiles.grey_profile(1.0)))
    assert within(middle(picture), (expected,) * 3, 3)


@pytest.fixture
def press() -> bytes:
    """A press whose magenta with yellow is a dull red, and whose every mix with black is dark."""
    inks: dict[tuple[int, ...], tuple[float, float, float]] = {
        corner: (100.0 - 25 * sum(corner[:3]) if not corner[3] else 5.0, 0.0, 0.0)
        for corner in itertools.product((0, 1), repeat=4)
    }
    inks[(0, 1, 1, 0)] = (47.0, 60.0, 40.0)
    return profiles.cmyk_profile(inks)


def test_cmyk_is_converted_by_the_profile_of_its_press(press: bytes) -> None:
    image = Image.new("CMYK", (64, 64), (0, 255, 255, 0))
    expected = (204, 51, 48)  # Lab 47, 60, 40 by CIE 15 and IEC 61966-2-1
    picture = decoded(encoded(image, "JPEG", quality=100, icc_profile=press))
    assert within(middle(picture), expected, 6)


def test_cmyk_without_profile_is_taken_as_ideal_inks() -> None:
    image = Image.new("CMYK", (64, 64), (0, 255, 255, 0))
    assert within(middle(decoded(encoded(image, "JPEG", quality=100))), (255, 0, 0), 3)


def hashes(**with_profile: bytes) -> tuple[str, str]:
    gradient = np.random.default_rng(5).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    image = Image.fromarray(gradient)
    plain, tagged = encoded(image, "PNG"), encoded(image, "PNG", **with_profile)
    assert plain != tagged
    first, second = (decode(x, max_pixels=10_000, max_side=32) for x in (plain, tagged))
    return first.pixel_hash, second.pixel_hash


def test_srgb_by_a_profile_has_the_pixels_of_srgb_without_one() -> None:
    plain, tagged = hashes(icc_profile=profiles.srgb_profile())
    assert plain == tagged


@pytest.mark.parametrize(
    "profile",
    [b"not a profile", profiles.rgb_profile(profiles.ADOBE_RGB)[:200], bytes(3_000_000)],
    ids=["text", "cut-off", "huge"],
)
def test_a_profile_that_cannot_be_used_is_ignored(profile: bytes) -> None:
    plain, tagged = hashes(icc_profile=profile)
    assert plain == tagged


def test_a_profile_for_another_kind_of_colours_is_ignored(press: bytes) -> None:
    plain, tagged = hashes(icc_profile=press)
    assert plain == tagged


def test_the_pixels_of_plain_pictures_are_those_of_earlier_versions() -> None:
    """A catalog's hashes were made without colour management: nothing is embedded again."""
    known = {
        "RGB": "91015f961b8cc43897faf027e2737c63",
        "RGBA": "91015f961b8cc43897faf027e2737c63",
        "P": "91015f961b8cc43897faf027e2737c63",
        "L": "119799257f92241df651720a73abd651",
        "LA": "119799257f92241df651720a73abd651",
        "1": "6f880e54e1b4e2248122d9274ea1802c",
    }
    for mode, pixel_hash in known.items():
        content = encoded(drawn((300, 200), mode), "PNG")
        assert decode(content, max_pixels=10**6, max_side=100).pixel_hash == pixel_hash, mode
