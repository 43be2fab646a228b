"""Leases of what is due, from a sorted set whose scores are Unix times in seconds."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import cast

from redis.asyncio import Redis

from operators.stores.redis.client import translate_errors

_LEASE_DUE = """
local due = redis.call('ZRANGE', KEYS[1], '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, ARGV[2])
for _, key in ipairs(due) do
  redis.call('ZADD', KEYS[1], ARGV[3], key)
end
return due
"""
"""Atomic, so that of several pollers only one gets a member."""


async def lease_due(client: Redis, key: str, now: float, limit: int, until: float) -> list[str]:
    """At most ``limit`` members of ``key`` that are due at ``now``, the longest waiting first; they
    are due again at ``until``. What is no text was not put there by us: as a name it is refused."""
    with translate_errors():
        found = await cast(
            Awaitable[list[bytes]],
            client.eval(_LEASE_DUE, 1, key, str(now), str(limit), str(until)),
        )
    return [one.decode(errors="replace") for one in found]
