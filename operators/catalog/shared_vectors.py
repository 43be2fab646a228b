"""The vectors of product pictures: identical pixels are encoded once.

Vendors give each size of a garment the same picture, often in the same minute.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from operators.picture import Picture
from operators.ports import ImageTextEncoder, Vector

CAPACITY = 4096
"""Vectors that are kept, the latest used: 8 MiB of 512 float32 each."""


class SharedVectors:
    """Encodes pictures; calls with the same pixel hash share one. For one event loop."""

    def __init__(self, encoder: ImageTextEncoder, capacity: int = CAPACITY) -> None:
        self._encoder = encoder
        self._capacity = capacity
        self._calls: OrderedDict[str, asyncio.Task[Vector]] = OrderedDict()
        """By pixel hash, the latest used last."""

    async def vector_of(self, picture: Picture) -> Vector:
        """The unit vector of ``picture``: shape (dimension,), float32.

        Raises what the encoder raises; the next caller tries again.
        """
        call = self._calls.get(picture.pixel_hash)
        if call is None or _failed(call):
            call = asyncio.create_task(self._encoder.encode_image(picture.image))
            self._calls[picture.pixel_hash] = call
        self._calls.move_to_end(picture.pixel_hash)
        if len(self._calls) > self._capacity:
            self._calls.popitem(last=False)
        # A caller that is cancelled leaves the call to the others.
        return await asyncio.shield(call)


def _failed(call: asyncio.Task[Vector]) -> bool:
    return call.done() and (call.cancelled() or call.exception() is not None)
