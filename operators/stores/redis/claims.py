"""First-come claims on names, in Redis."""

from __future__ import annotations

from collections.abc import Callable

from redis.asyncio import Redis

from operators.metering import Meter, unmetered
from operators.stores.redis.pipeline import RedisPipeline
from schemas.errors import UnreadableEntry
from schemas.settings import BatchSettings

PREFIX = "looksync:claim:"


class RedisClaims:
    """A :class:`operators.ports.Claims`: SET with NX and GET, one atomic command (Redis 7, Valkey).

    Idempotent: repeating a claim whose reply was lost returns the same owner.
    """

    def __init__(
        self,
        client: Redis,
        batches: BatchSettings,
        observe: Callable[[int, float], None] | None = None,
        meter: Meter = unmetered,
    ) -> None:
        """The caller closes ``client``; ``observe``: see MicroBatcher; ``meter``: of requests."""
        self._redis = RedisPipeline(client, batches, observe, meter)

    async def claim(self, name: str, owner: str, ttl_seconds: float) -> str:
        """The time to live starts at the first claim; claiming again does not extend it.

        Raises UnreadableEntry when something else than a claim is stored under the name.
        """
        milliseconds = max(1, int(ttl_seconds * 1000))
        try:
            earlier_owner: bytes | None = await self._redis.execute(
                lambda pipeline: pipeline.set(
                    PREFIX + name, owner, px=milliseconds, nx=True, get=True
                ),
                kind="write",
            )
            return owner if earlier_owner is None else earlier_owner.decode()
        except (UnreadableEntry, UnicodeDecodeError) as error:
            raise UnreadableEntry(
                f"claim {PREFIX}{name} cannot be read: {error}; delete that key",
                reason="claim-unreadable",
            ) from error

    async def close(self) -> None:
        """Finish pending calls."""
        await self._redis.close()
