"""The contract of every Thumbnails. A subclass provides the fixture ``thumbnails``."""

from __future__ import annotations

import asyncio
import io

import numpy as np
import pytest
from PIL import Image

from operators.ports import Thumbnails


async def stored(thumbnails: Thumbnails, key: str) -> Image.Image:
    content = await thumbnails.get(key)
    assert content is not None
    return Image.open(io.BytesIO(content))


class ThumbnailsContract:
    async def test_a_picture_is_stored_as_a_small_jpeg(self, thumbnails: Thumbnails) -> None:
        await thumbnails.put("zari:1", Image.new("RGB", (1200, 800), "red"))
        thumbnail = await stored(thumbnails, "zari:1")
        assert (thumbnail.format, thumbnail.mode, thumbnail.size) == ("JPEG", "RGB", (336, 224))
        red, green, blue = np.asarray(thumbnail)[100, 100]
        assert red > 245
        assert max(green, blue) < 10

    @pytest.mark.parametrize("size", [(1, 3000), (3000, 1), (1, 1), (336, 336), (337, 336)])
    async def test_sides_are_at_most_336_pixels_and_small_pictures_keep_their_size(
        self, thumbnails: Thumbnails, size: tuple[int, int]
    ) -> None:
        await thumbnails.put("zari:1", Image.new("RGB", size))
        width, height = (await stored(thumbnails, "zari:1")).size
        assert 1 <= min(width, height) <= max(width, height) == min(336, max(size))

    async def test_put_does_not_change_its_argument(self, thumbnails: Thumbnails) -> None:
        image = Image.new("RGB", (1000, 1000), "red")
        await thumbnails.put("zari:1", image)
        assert image.size == (1000, 1000)

    async def test_a_missing_key_is_none(self, thumbnails: Thumbnails) -> None:
        assert await thumbnails.get("zari:1") is None

    async def test_a_second_picture_replaces_the_first(self, thumbnails: Thumbnails) -> None:
        await thumbnails.put("zari:1", Image.new("RGB", (100, 50)))
        await thumbnails.put("zari:1", Image.new("RGB", (50, 100)))
        assert (await stored(thumbnails, "zari:1")).size == (50, 100)

    async def test_delete_is_idempotent(self, thumbnails: Thumbnails) -> None:
        await thumbnails.put("zari:1", Image.new("RGB", (10, 10)))
        await thumbnails.delete("zari:1")
        await thumbnails.delete("zari:1")
        assert await thumbnails.get("zari:1") is None

    async def test_keys_are_not_paths(self, thumbnails: Thumbnails) -> None:
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
            assert (await stored(thumbnails, key)).width == side

    async def test_readers_never_see_a_truncated_file(self, thumbnails: Thumbnails) -> None:
        noise = Image.effect_noise((336, 336), 90).convert("RGB")
        await thumbnails.put("zari:1", noise)

        async def write() -> None:
            for _ in range(10):
                await thumbnails.put("zari:1", noise)

        async def read() -> None:
            for _ in range(30):
                (await stored(thumbnails, "zari:1")).load()

        await asyncio.gather(write(), read(), write(), read())
