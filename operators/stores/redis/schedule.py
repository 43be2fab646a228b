"""When which product is due to be refreshed, in a sorted set of Redis."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import cast

from redis.asyncio import Redis

from operators.stores.redis.client import WRONG_TYPE, translate_errors
from schemas.errors import Unavailable, UnreadableEntry

KEY = "looksync:refreshes"

_LEASE_DUE = """
local due = redis.call('ZRANGE', KEYS[1], '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, ARGV[2])
for _, key in ipairs(due) do
  redis.call('ZADD', KEYS[1], ARGV[3], key)
end
return due
"""
"""Atomic, so that of several pollers only one gets a key."""


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
        with translate_errors():
            keys = await cast(
                Awaitable[list[bytes]],
                self._client.eval(
                    _LEASE_DUE,
                    1,
                    KEY,
                    str(now.timestamp()),
                    str(limit),
                    str((now + lease).timestamp()),
                ),
            )
        # What is no text was not scheduled here; as a key it is refused, not more.
        return [key.decode(errors="replace") for key in keys]
