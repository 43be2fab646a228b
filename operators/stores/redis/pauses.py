"""Which flows are paused, in Redis: all processes of a flow see it."""

from __future__ import annotations

from redis.asyncio import Redis

from operators.stores.redis.client import translate_errors

PREFIX = "looksync:paused:"


class RedisPauses:
    """One key per paused flow; its value is the reason."""

    def __init__(self, client: Redis) -> None:
        """The caller closes ``client``."""
        self._client = client

    async def pause(self, flow: str, reason: str) -> None:
        with translate_errors():
            await self._client.set(PREFIX + flow, reason)

    async def resume(self, flow: str) -> bool:
        """Whether it was paused."""
        with translate_errors():
            return bool(await self._client.delete(PREFIX + flow))

    async def reason(self, flow: str) -> str | None:
        """Why ``flow`` is paused; None: it is not."""
        with translate_errors():
            value = await self._client.get(PREFIX + flow)
        return value.decode(errors="replace") if isinstance(value, bytes) else value
