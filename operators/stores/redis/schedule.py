"""When which product is due to be refreshed, in a sorted set of Redis."""

from __future__ import annotations

from datetime import datetime, timedelta

from redis.asyncio import Redis

from operators.stores.redis.client import WRONG_TYPE, translate_errors
from operators.stores.redis.leases import lease_due
from schemas.errors import Unavailable, UnreadableEntry

KEY = "looksync:refreshes"


class RedisSchedule:
    """A :class:`operators.ports.RefreshSchedule`. Scores are Unix times in seconds."""

    def __init__(self, client: Redis) -> None:
        """The caller closes ``client``."""
        self._client = client

    async def set(self, key: str, due: datetime | None) -> None:
        """Raises UnreadableEntry when another program uses the key of the schedule."""
        try:
            with translate_errors():
                if due is None:
                    await self._client.zrem(KEY, key)
                else:
                    await self._client.zadd(KEY, {key: due.timestamp()})
        except Unavailable as error:
            if error.reason != WRONG_TYPE:
                raise
            raise UnreadableEntry(
                f"{KEY} holds something else than the schedule of refreshes; delete that key and "
                "replay the dead letters",
                reason="schedule-unreadable",
            ) from error

    async def lease_due(self, now: datetime, limit: int, lease: timedelta) -> list[str]:
        until = (now + lease).timestamp()
        return await lease_due(self._client, KEY, now.timestamp(), limit, until)
