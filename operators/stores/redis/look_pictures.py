"""Pictures of looks, reduced for pages, for a time, in Redis."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from redis.asyncio import Redis

from operators.stores.redis.pipeline import RedisPipeline
from schemas.settings import BatchSettings

SOURCES = "looksync:look-pictures:"
PICTURE = "looksync:look-picture:"


class RedisLookPictures:
    """Where each look's pictures come from, and those that were reduced so far."""

    def __init__(
        self,
        client: Redis,
        batches: BatchSettings,
        ttl_seconds: float,
        observe: Callable[[int, float], None] | None = None,
    ) -> None:
        """The caller closes ``client``."""
        self._redis = RedisPipeline(client, batches, observe)
        self._milliseconds = int(ttl_seconds * 1000)

    async def note(self, look_id: str, urls: Sequence[str | None]) -> None:
        """Keep the addresses of a look's pictures, its own first; None: it was sent as bytes."""
        await self._set(SOURCES + look_id, json.dumps(urls).encode(), self._milliseconds)

    async def sources(self, look_id: str) -> list[str | None] | None:
        """What :meth:`note` has kept; None: nothing."""
        value = await self._redis.get(SOURCES + look_id)
        try:
            found = json.loads(value or b"null")
        except ValueError:
            return None
        return found if isinstance(found, list) else None

    async def put(
        self, look_id: str, number: int, jpeg: bytes, seconds: float | None = None
    ) -> None:
        """Keep a reduced picture for ``seconds``, at most (and by default) as long as the match."""
        milliseconds = self._milliseconds
        if seconds is not None:
            milliseconds = min(int(seconds * 1000), milliseconds)
        await self._set(f"{PICTURE}{number}:{look_id}", jpeg, milliseconds)

    async def get(self, look_id: str, number: int) -> bytes | None:
        """A reduced picture, as JPEG."""
        return await self._redis.get(f"{PICTURE}{number}:{look_id}")

    async def _set(self, name: str, value: bytes, milliseconds: int) -> None:
        await self._redis.execute(lambda p: p.set(name, value, px=milliseconds), kind="write")

    async def close(self) -> None:
        """Finish pending calls."""
        await self._redis.close()
