"""Looks that were sent through the API, and the matches of all looks, for a time, in Redis."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from redis.asyncio import Redis

from operators.stores.redis.pipeline import RedisPipeline
from schemas.settings import BatchSettings

ACCEPTED = "looksync:look:"
POSITIONS = "looksync:kept:"
MATCHED = "looksync:match:"
WORN = "looksync:worn:"
"""Per product, a sorted set of the looks that wear it."""
LOOKS_PER_PRODUCT = 6
TIMELINE = "looksync:matches"
"""A sorted set of look ids; scores are Unix times in milliseconds."""


class RedisKeptMatches:
    """What the API can still tell of looks. Values are bytes of the caller's."""

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

    async def accept(self, look_id: str, digest: str) -> str:
        """Note that a look was sent, unless one was before; the digest of the one that is noted."""
        earlier: bytes | None = await self._redis.execute(
            lambda pipeline: pipeline.set(
                ACCEPTED + look_id, digest, px=self._milliseconds, nx=True, get=True
            ),
            kind="write",
        )
        return digest if earlier is None else earlier.decode(errors="replace")

    async def forget(self, look_id: str) -> None:
        """Undo :meth:`accept`: the look could not be sent."""
        await self._redis.execute(lambda p: p.delete(ACCEPTED + look_id), kind="write")

    async def is_accepted(self, look_id: str) -> bool:
        """Whether the look was sent."""
        found: int = await self._redis.execute(lambda p: p.exists(ACCEPTED + look_id), kind="read")
        return bool(found)

    async def keep(
        self, look_id: str, value: bytes, moment: datetime, worn: Iterable[str] = ()
    ) -> None:
        """Keep the match of a look that was matched at ``moment``; keeping it again is the same.

        ``worn``: keys of the products that its layers are nearest to.
        """
        now = int(moment.timestamp() * 1000)
        await self._redis.execute(
            lambda p: p.set(MATCHED + look_id, value, px=self._milliseconds), kind="write"
        )
        await self._redis.execute(lambda p: p.zadd(TIMELINE, {look_id: now}, nx=True), kind="write")
        await self._redis.execute(
            lambda p: p.zremrangebyscore(TIMELINE, "-inf", now - self._milliseconds), kind="write"
        )

        for key in worn:
            await self._note_worn(WORN + key, look_id, now)

    async def _note_worn(self, name: str, look_id: str, now: int) -> None:
        seconds = self._milliseconds // 1000 + 1
        await self._redis.execute(lambda p: p.zadd(name, {look_id: now}, nx=True), kind="write")
        await self._redis.execute(
            lambda p: p.zremrangebyrank(name, 0, -LOOKS_PER_PRODUCT - 1), kind="write"
        )
        await self._redis.execute(lambda p: p.expire(name, seconds), kind="write")

    async def wearing(self, key: str) -> list[str]:
        """The newest looks that wear the product, LOOKS_PER_PRODUCT at most."""
        found: Sequence[bytes] = await self._redis.execute(
            lambda p: p.zrange(WORN + key, 0, -1, desc=True), kind="read"
        )
        return [look_id.decode(errors="replace") for look_id in found]

    async def read(self, look_id: str) -> bytes | None:
        """The match, if it is kept."""
        return await self._redis.get(MATCHED + look_id)

    async def newest(
        self, count: int, before: tuple[int, str] | None = None
    ) -> list[tuple[int, str]]:
        """At most ``count`` looks that were matched, the newest first: times (ms) and ids.

        ``before``: the last one of the page before.
        """
        highest = "+inf" if before is None else str(before[0])
        page: Sequence[tuple[bytes, float]] = await self._redis.execute(
            lambda p: p.zrange(
                TIMELINE,
                highest,
                "-inf",
                desc=True,
                byscore=True,
                withscores=True,
                offset=0,
                num=count + SAME_MOMENT,
            ),
            kind="read",
        )
        found = [(int(score), look_id.decode(errors="replace")) for look_id, score in page]
        # Redis orders equal scores by id, here in descending order.
        return [one for one in found if before is None or one < before][:count]

    async def positions(self, topic: str) -> dict[int, int]:
        """Per partition of ``topic``, the offset of the last record that was kept."""
        value = await self._redis.get(POSITIONS + topic)
        try:
            return {int(partition): int(at) for partition, at in json.loads(value or b"{}").items()}
        except (ValueError, AttributeError, TypeError):
            return {}

    async def note_positions(self, topic: str, positions: Mapping[int, int]) -> None:
        """Remember :meth:`positions`. Of several processes the last one wins: a record is at most
        kept once more."""
        value = json.dumps({str(partition): at for partition, at in positions.items()})
        await self._redis.execute(lambda p: p.set(POSITIONS + topic, value), kind="write")

    async def close(self) -> None:
        """Finish pending calls."""
        await self._redis.close()


SAME_MOMENT = 100
"""Looks that one millisecond may bring; a page could otherwise repeat them without end."""
