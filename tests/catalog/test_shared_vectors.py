"""Identical pictures are encoded once, whichever products have them."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from PIL.Image import Image

from operators.catalog.apply import apply_packet
from operators.catalog.shared_vectors import SharedVectors
from operators.picture import Picture
from operators.ports import Vector
from schemas.errors import Unavailable
from tests.catalog.small_shop import NOW, RED, RED_AGAIN, Shop, item, packet
from tests.doubles import HashEncoder, pixel_hash, plain_picture


def picture(colour: str) -> Picture:
    image = plain_picture(colour)
    return Picture(image, pixel_hash(image))


class SlowEncoder(HashEncoder):
    """Answers when ``ready`` is set, the first ``failures`` times with an error."""

    def __init__(self, failures: int = 0) -> None:
        super().__init__()
        self.ready = asyncio.Event()
        self.failures = failures

    async def encode_image(self, image: Image) -> Vector:
        vector = await super().encode_image(image)
        await self.ready.wait()
        if self.failures:
            self.failures -= 1
            raise Unavailable("no answer", reason="encoder")
        return vector


@pytest.fixture
def red() -> Picture:
    return picture("red")


async def test_sizes_with_one_picture_share_its_vector() -> None:
    shop = Shop()
    parts = shop.parts()
    for number, url in enumerate((RED, RED_AGAIN, RED)):
        sent = packet("upsert", 1, item(pictures=[url]), product_id=str(number))
        await apply_packet(sent, f"p/0/{number}", parts, lambda: NOW)

    assert len(shop.encoder.images) == 1
    stored = [await shop.index.get(f"shop:{number}") for number in range(3)]
    assert len({one.vector.tobytes() for one in stored if one is not None}) == 1
    assert None not in stored


async def test_concurrent_callers_share_a_call_and_its_failure(red: Picture) -> None:
    encoder = SlowEncoder(failures=1)
    vectors = SharedVectors(encoder)
    callers = [asyncio.create_task(vectors.vector_of(red)) for _ in range(3)]
    await asyncio.sleep(0)
    encoder.ready.set()

    failed = await asyncio.gather(*callers, return_exceptions=True)
    assert [type(one) for one in failed] == [Unavailable] * 3
    assert np.array_equal(await vectors.vector_of(red), await HashEncoder().encode_image(red.image))
    assert len(encoder.images) == 2, "the failed call is not kept"


async def test_a_cancelled_caller_leaves_the_call_to_the_others(red: Picture) -> None:
    encoder = SlowEncoder()
    vectors = SharedVectors(encoder)
    first, second = (asyncio.create_task(vectors.vector_of(red)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    encoder.ready.set()

    assert (await second).shape == (encoder.dimension,)
    assert first.cancelled()
    assert len(encoder.images) == 1


async def test_the_latest_used_vectors_are_kept() -> None:
    encoder = HashEncoder()
    vectors = SharedVectors(encoder, capacity=2)
    for colour in ("red", "blue", "red", "green", "red", "blue"):
        await vectors.vector_of(picture(colour))
    assert len(encoder.images) == 4, "blue was the least recently used when green came"
