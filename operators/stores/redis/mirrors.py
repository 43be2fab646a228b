"""Who has begun to keep up a new index, told through Redis."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from typing import cast

from redis.asyncio import Redis

from operators.stores.redis.client import explained

PREFIX = "looksync:mirrors:"
FRESH_SECONDS = 15.0
"""A flow that has not said so for that long has ended."""

KEPT_SECONDS = 86_400


class MirrorAcknowledgements:
    """A hash per generation of the new index: process -> when it last said that it keeps it up."""

    def __init__(self, client: Redis) -> None:
        """``client`` stays the caller's to close."""
        self._client = client

    async def acknowledge(self, generation: str, process: str) -> None:
        """``process`` writes to the index of ``generation`` whatever it does from now on."""
        key = PREFIX + generation
        with explained():
            await self._client.hset(key, process, str(time.time()))
            await self._client.expire(key, KEPT_SECONDS)

    async def count(self, generation: str) -> int:
        """Processes that keep up the index of ``generation`` now."""
        with explained():
            told = await cast(
                Awaitable[dict[bytes, bytes]], self._client.hgetall(PREFIX + generation)
            )
        return sum(time.time() - float(when) < FRESH_SECONDS for when in told.values())
