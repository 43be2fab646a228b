"""What every Thumbnails promises. A subclass gives the fixture ``thumbnails``."""

from __future__ import annotations

import asyncio
import io

import pytest
from PIL import Image


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


class ThumbnailsContract:
    async def test_a_picture_comes_back_as_a_small_jpeg(self, thumbnails):
        await thumbnails.put("zari:1", Image.new("RGB", (1200, 800), "red"))
        thumbnail = opened(await thumbnails.get("zari:1"))
        assert (thumbnail.format, thumbnail.mode, thumbnail.size) == ("JPEG", "RGB", (336, 224))
        red, green, blue = thumbnail.getpixel((100, 100))
        assert red > 245
        assert max(green, blue) < 10

    @pytest.mark.parametrize("size", [(1, 3000), (3000, 1), (1, 1), (336, 336), (337, 336)])
    async def test_no_side_is_over_336_pixels_and_small_ones_stay(self, thumbnails, size):
        await thumbnails.put("zari:1", Image.new("RGB", size))
        width, height = opened(await thumbnails.get("zari:1")).size
        assert 1 <= min(width, height) <= max(width, height) == min(336, max(size))

    async def test_the_picture_given_stays_as_it_was(self, thumbnails):
        image = Image.new("RGB", (1000, 1000), "red")
        await thumbnails.put("zari:1", image)
        assert image.size == (1000, 1000)

    async def test_what_was_never_put_is_none(self, thumbnails):
        assert await thumbnails.get("zari:1") is None

    async def test_the_last_picture_counts(self, thumbnails):
        await thumbnails.put("zari:1", Image.new("RGB", (100, 50)))
        await thumbnails.put("zari:1", Image.new("RGB", (50, 100)))
        assert opened(await thumbnails.get("zari:1")).size == (50, 100)

    async def test_delete_removes_and_may_be_repeated(self, thumbnails):
        await thumbnails.put("zari:1", Image.new("RGB", (10, 10)))
        await thumbnails.delete("zari:1")
        await thumbnails.delete("zari:1")
        assert await thumbnails.get("zari:1") is None

    async def test_keys_are_not_paths(self, thumbnails):
        keys = [
            "zari:../../etc",
            "zari:/a",
            "zari:a/b",
            "zari:商品",
            "zari:\n",
            "zari:" + "x" * 390,
        ]
        for side, key in enumerate(keys, start=10):
            await thumbnails.put(key, Image.new("RGB", (side, side)))
        for side, key in enumerate(keys, start=10):
            assert opened(await thumbnails.get(key)).width == side

    async def test_readers_never_see_a_part(self, thumbnails):
        noise = Image.effect_noise((336, 336), 90).convert("RGB")
        await thumbnails.put("zari:1", noise)

        async def write() -> None:
            for _ in range(10):
                await thumbnails.put("zari:1", noise)

        async def read() -> None:
            for _ in range(30):
                opened(await thumbnails.get("zari:1")).load()

        await asyncio.gather(write(), read(), write(), read())
