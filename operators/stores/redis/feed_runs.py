"""The latest runs of `looksync ingest`, in Redis: the operator page shows them."""

from __future__ import annotations

from pydantic import ValidationError
from redis.asyncio import Redis

from operators.stores.redis.client import translate_errors
from schemas.feed_runs import FeedRun

NAME = "looksync:feed-runs"
KEPT = 100


class RedisFeedRuns:
    """A sorted set of runs as JSON; scores are Unix times."""

    def __init__(self, client: Redis) -> None:
        """The caller closes ``client``."""
        self._client = client

    async def note(self, run: FeedRun) -> None:
        """Keep ``run``, and forget the oldest beyond KEPT."""
        with translate_errors():
            await self._client.zadd(NAME, {run.model_dump_json(): run.at.timestamp()})
            await self._client.zremrangebyrank(NAME, 0, -KEPT - 1)

    async def latest(self, count: int) -> list[FeedRun]:
        """At most ``count`` runs, the newest first; those of another release may be left out."""
        with translate_errors():
            values = await self._client.zrange(NAME, 0, count - 1, desc=True)
        runs = []
        for value in values:
            assert isinstance(value, bytes | str), "without scores"
            try:
                runs.append(FeedRun.model_validate_json(value))
            except ValidationError:
                continue
        return runs
