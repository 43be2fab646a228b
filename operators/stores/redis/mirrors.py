"""Which catalog flows mirror their writes to a new index; they acknowledge it in Redis."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import cast

from redis.asyncio import Redis

from operators.stores.redis.client import translate_errors

PREFIX = "looksync:mirrors:"
ACTIVE_SECONDS = 15.0
"""A flow whose last acknowledgement is older has ended. Redis counts them, by the expiry of a key:
the clocks of the flows' hosts may differ, or be set while they run."""

EXPIRY_SECONDS = 86_400


class MirrorAcknowledgements:
    """Per generation of the new index, a hash with the names of the processes that ever
    acknowledged; per process, a key that expires unless it acknowledges again."""

    def __init__(self, client: Redis) -> None:
        """The caller closes ``client``."""
        self._client = client

    async def acknowledge(self, generation: str, process: str) -> None:
        """Record that ``process`` mirrors all its writes to the index of ``generation``."""
        key = PREFIX + generation
        with translate_errors():
            await self._client.hset(key, process, "")
            await self._client.expire(key, EXPIRY_SECONDS)
            await self._client.set(f"{key}:{process}", "", px=int(ACTIVE_SECONDS * 1000))

    async def count(self, generation: str) -> int:
        """The number of processes that mirror to the index of ``generation`` now."""
        key = PREFIX + generation
        with translate_errors():
            processes = await cast(Awaitable[dict[bytes, bytes]], self._client.hgetall(key))
            keys = [f"{key}:".encode() + process for process in processes]
            return sum([await self._client.get(key) is not None for key in keys])
