"""Who came first, in Redis."""

from __future__ import annotations

from collections.abc import Callable

from redis.asyncio import Redis

from operators.stores.redis.pipeline import RedisPipeline
from schemas.settings import BatchSettings

PREFIX = "looksync:claim:"


class RedisClaims:
    """A :class:`operators.ports.Claims`: SET with NX and GET, one atomic step (Redis 7, Valkey).

    A claim whose answer was lost can be made again: the second answer names its own owner.
    """

    def __init__(
        self,
        client: Redis,
        batches: BatchSettings,
        observe: Callable[[int, float], None] | None = None,
    ) -> None:
        """``client`` stays the caller's to close; ``observe``: see MicroBatcher."""
        self._redis = RedisPipeline(client, batches, observe)

    async def claim(self, name: str, owner: str, ttl_seconds: float) -> str:
        """The time to live runs from the first claim; claiming again does not prolong it."""
        milliseconds = max(1, int(ttl_seconds * 1000))
        before: bytes | None = await self._redis.execute(
            lambda pipeline: pipeline.set(PREFIX + name, owner, px=milliseconds, nx=True, get=True)
        )
        return owner if before is None else before.decode()

    async def close(self) -> None:
        """Finish the calls under way."""
        await self._redis.close()
