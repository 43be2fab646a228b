"""A cache with a time to live, in Redis."""

from __future__ import annotations

from collections.abc import Callable

from redis.asyncio import Redis

from operators.metering import Meter, unmetered
from operators.stores.redis.pipeline import RedisPipeline
from schemas.settings import BatchSettings

PREFIX = "looksync:cache:"


class RedisCache:
    """A :class:`operators.ports.Cache`."""

    def __init__(
        self,
        client: Redis,
        batches: BatchSettings,
        observe: Callable[[int, float], None] | None = None,
        meter: Meter = unmetered,
    ) -> None:
        """The caller closes ``client``; ``observe``: see MicroBatcher; ``meter``: of requests."""
        self._redis = RedisPipeline(client, batches, observe, meter)

    async def get(self, key: str) -> bytes | None:
        return await self._redis.get(PREFIX + key)

    async def put(self, key: str, value: bytes, ttl_seconds: float) -> None:
        """Stores nothing when ``ttl_seconds`` is less than a millisecond."""
        if (milliseconds := int(ttl_seconds * 1000)) > 0:
            await self._redis.execute(
                lambda pipeline: pipeline.set(PREFIX + key, value, px=milliseconds), kind="write"
            )

    async def close(self) -> None:
        """Finish pending calls."""
        await self._redis.close()
