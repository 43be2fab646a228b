"""Pictures that show nothing, and white garments on transparency."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from operators.images.decode import decode
from operators.picture import Picture

PICTURES = Path(__file__).parents[1] / "data" / "feeds" / "pics"
SIDE = 120


def decoded(content: bytes, max_pixels: int = 10**6) -> Picture:
    return decode(content, max_pixels=max_pixels, max_side=256)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def plain(colour: str | tuple[int, ...], mode: str = "RGB") -> Image.Image:
    return Image.new(mode, (SIDE, SIDE), colour)


def garment(
    colour: str | tuple[int, ...], ground: str | tuple[int, ...], mode: str = "RGB", size: int = 60
) -> Image.Image:
    image = plain(ground, mode)
    ImageDraw.Draw(image).rectangle((20, 20, 19 + size, 19 + size), fill=colour)
    return image


def animation(frames: Sequence[Image.Image], kind: str = "GIF") -> bytes:
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)


@pytest.mark.parametrize(
    "content",
    [
        (PICTURES / "placeholder_white.png").read_bytes(),
        (PICTURES / "spacer9.png").read_bytes(),
        encoded(plain("#c8c8c8"), "JPEG", quality=20),
        encoded(plain("black"), "WEBP"),
        encoded(plain((0, 0, 0, 0), "RGBA")),
        encoded(garment("red", "white", size=4)),
    ],
    ids=["white", "spacer", "grey JPEG", "black", "transparent", "a speck"],
)
def test_a_picture_of_one_colour_is_blank(content: bytes) -> None:
    assert decoded(content).blank


@pytest.mark.parametrize(
    "image",
    [
        garment("white", "#f0f0f0"),
        garment("black", "#101010"),
        garment("red", "white", size=12),
        Image.linear_gradient("L").convert("RGB"),
    ],
    ids=["white on light grey", "black on dark", "small", "gradient"],
)
def test_a_picture_that_shows_something_is_not(image: Image.Image) -> None:
    assert not decoded(encoded(image)).blank


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_that_shows_something_is_taken(kind: str) -> None:
    frames = [plain("white"), plain("black"), garment("red", "white"), garment("blue", "white")]
    picture = decoded(animation(frames, kind))
    assert not picture.blank
    red, green, blue = _pixel(picture, 50, 50)
    assert red > 200
    assert max(green, blue) < 60


def test_a_first_frame_that_shows_something_is_taken() -> None:
    picture = decoded(animation([garment("blue", "white"), garment("red", "white")]))
    assert _pixel(picture, 50, 50)[2] > 200


def test_the_frames_together_have_no_more_pixels_than_a_picture_may_have() -> None:
    content = animation([plain("white"), garment("red", "white")])
    assert not decoded(content, max_pixels=2 * SIDE * SIDE).blank
    assert decoded(content, max_pixels=2 * SIDE * SIDE - 1).blank


def test_an_animation_whose_later_frames_are_broken_is_blank() -> None:
    content = animation([plain("white"), garment("red", "white")])
    assert decoded(content[: len(content) * 2 // 3]).blank


def test_a_white_garment_on_transparency_stands_out() -> None:
    picture = decoded((PICTURES / "white_on_clear.png").read_bytes())
    assert not picture.blank
    assert picture.image.getextrema() == ((192, 255),) * 3


@pytest.mark.parametrize("colour", [(255, 0, 0, 255), (200, 200, 200, 255), (20, 20, 20, 255)])
def test_other_garments_on_transparency_are_put_on_white(colour: tuple[int, ...]) -> None:
    picture = decoded(encoded(garment(colour, (0, 0, 0, 0), "RGBA")))
    assert _pixel(picture, 5, 5) == (255, 255, 255)
    assert _pixel(picture, 50, 50) == colour[:3]


def _pixel(picture: Picture, x: int, y: int) -> tuple[int, ...]:
    found = picture.image.getpixel((x, y))
    assert isinstance(found, tuple)
    return found
