"""Webhooks, and what is to be delivered to them, in Redis.

Each webhook has a queue of its own, so that one that does not answer delays no other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import cast

from redis.asyncio import Redis

from operators.stores.redis.client import translate_errors
from operators.stores.redis.leases import lease_due

HOOKS = "looksync:webhooks"
"""A hash: id -> the caller's bytes."""
DUE = "looksync:webhook-due:"
"""Per webhook, a sorted set of deliveries; scores are Unix times in seconds."""
DELIVERY = "looksync:delivery:"
LOG = "looksync:webhook-log:"
"""Per webhook, a sorted set of its latest deliveries; scores as above."""


class RedisWebhooks:
    """Values are bytes of the caller's; times are Unix times in seconds."""

    def __init__(self, client: Redis, ttl_seconds: float, logged: int) -> None:
        """The caller closes ``client``. ``ttl_seconds``: of deliveries; ``logged``: how many are
        listed per webhook."""
        self._client = client
        self._seconds = int(ttl_seconds)
        self._logged = logged

    async def hooks(self) -> Mapping[str, bytes]:
        """All webhooks, by id."""
        with translate_errors():
            found = await cast(Awaitable[dict[bytes, bytes]], self._client.hgetall(HOOKS))
        return {name.decode(errors="replace"): value for name, value in found.items()}

    async def put_hook(self, hook: str, value: bytes) -> None:
        with translate_errors():
            await self._client.hset(HOOKS, hook, value)

    async def delete_hook(self, hook: str) -> bool:
        """Also forget what is to be delivered to it. False if there is none."""
        with translate_errors():
            gone = await self._client.hdel(HOOKS, hook)
            await self._client.delete(DUE + hook, LOG + hook)
        return bool(gone)

    async def add(self, hook: str, delivery: str, value: bytes, now: float) -> None:
        """Queue a delivery, unless one of this id was queued before, by whichever process."""
        with translate_errors():
            new = await self._client.set(DELIVERY + delivery, value, ex=self._seconds, nx=True)
            if new:
                await self.schedule(hook, delivery, now)
                await self._client.zadd(LOG + hook, {delivery: now})
                await self._client.zremrangebyrank(LOG + hook, 0, -self._logged - 1)

    async def schedule(self, hook: str, delivery: str, due: float) -> None:
        """Deliver at ``due``, replacing any earlier schedule."""
        with translate_errors():
            await self._client.zadd(DUE + hook, {delivery: due})

    async def settle(self, hook: str, delivery: str) -> None:
        """Deliver it no more."""
        with translate_errors():
            await self._client.zrem(DUE + hook, delivery)

    async def lease(self, hook: str, now: float, count: int, lease_seconds: float) -> list[str]:
        """At most ``count`` deliveries that are due. They are due again after the lease, in case
        this process dies; no other gets them within it."""
        return await lease_due(self._client, DUE + hook, now, count, now + lease_seconds)

    async def delivery(self, delivery: str) -> bytes | None:
        """None once it is forgotten."""
        with translate_errors():
            return cast(bytes | None, await self._client.get(DELIVERY + delivery))

    async def put_delivery(self, delivery: str, value: bytes) -> None:
        with translate_errors():
            await self._client.set(DELIVERY + delivery, value, ex=self._seconds)

    async def latest(self, hook: str) -> list[str]:
        """The latest deliveries, the newest first."""
        with translate_errors():
            found = cast(list[bytes], await self._client.zrange(LOG + hook, 0, -1))
        return [one.decode(errors="replace") for one in reversed(found)]
