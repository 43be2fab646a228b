"""Requests per key and minute, counted in Redis, so for all processes together."""

from __future__ import annotations

import time
from typing import Any

import structlog
from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError
from redis.asyncio import Redis

log = structlog.get_logger()

PREFIX = "looksync:limit"


class LimitsCounter:
    """A :class:`services.api.access.RequestCounter`."""

    def __init__(self, storage: Storage) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(storage)

    async def hit(self, client: str, per_minute: int) -> tuple[bool, int, int]:
        """Without an answer of the storage, every request is allowed."""
        item = RateLimitItemPerMinute(per_minute, namespace="minute")
        try:
            allowed = await self._limiter.hit(item, client)
            window = await self._limiter.get_window_stats(item, client)
        except StorageError as error:
            log.warning("requests are not counted", error=str(error))
            return True, per_minute, 0
        return allowed, window.remaining, max(0, round(window.reset_time - time.time()))


def redis_counter(client: Redis) -> LimitsCounter:
    """Counts in the Redis of ``client``, with its connections."""
    options: dict[str, Any] = {"connection_pool": client.connection_pool}
    storage = RedisStorage(
        "async+redis://",
        implementation="redispy",
        key_prefix=PREFIX,
        wrap_exceptions=True,
        **options,
    )
    return LimitsCounter(storage)


def memory_counter() -> LimitsCounter:
    """Counts in this process only."""
    return LimitsCounter(MemoryStorage())
