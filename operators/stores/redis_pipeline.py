"""Redis behind the ledger, the cache and the claims: concurrent commands travel together.

Each command touches one key, and a pipeline is no transaction: nothing depends on keys lying in
one hash slot, so the same code serves a cluster. docs/decisions/031 has the figures.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import redis.asyncio
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    NoPermissionError,
    RedisError,
)
from redis.exceptions import ConnectionError as RedisConnectionError

from operators.streaming.batcher import MicroBatcher
from schemas.errors import LookSyncError, Misconfigured, Unavailable
from schemas.settings import BatchSettings

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 3.0
"""Commands here take microseconds, but a server whose disk is busy may hold writes for 2 s before
it goes on without the flush (Valkey, appendfsync everysec)."""

RECONNECTS = 2
"""Tries after a connection broke: enough to find a server that was restarted. Longer outages are
the caller's to wait for; he sees Unavailable. A late answer is not asked for again: that would
only make it later."""

SCAN_PAGE = 1_000
"""Keys the server looks at per SCAN; it serves nobody else meanwhile (0.5 ms, measured)."""

Command: TypeAlias = Callable[[Pipeline], Any]
"""Puts one command on a pipeline: ``lambda pipeline: pipeline.get(name)``."""

_REFUSALS = (AuthenticationError, AuthorizationError, NoPermissionError)


def open_redis(url: str) -> redis.asyncio.Redis:
    """A client for ``redis://``, ``rediss://`` or ``unix://``; it connects at its first command.

    Raises Misconfigured when ``url`` is none of these.
    """
    try:
        return redis.asyncio.Redis.from_url(
            url,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            retry=Retry(
                ExponentialBackoff(cap=0.2, base=0.02),
                RECONNECTS,
                supported_errors=(RedisConnectionError,),
            ),
        )
    except ValueError as error:
        raise Misconfigured(f"redis.url {url!r}: {error}") from error


def explain(error: RedisError | OSError) -> LookSyncError:
    """Our error for what the client raised, saying what to do."""
    # What went wrong while connecting arrives wrapped.
    if isinstance(error, _REFUSALS) or isinstance(error.__cause__, _REFUSALS):
        return Misconfigured(
            f"redis refuses us ({error}); put user and password into redis.url, as in "
            "redis://user:password@host:6379/0",
            reason="redis-refused",
        )
    return Unavailable(f"redis: {error}", reason="redis")


@contextmanager
def explained() -> Iterator[None]:
    """Turn what the client raises into our errors."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise explain(error) from error


class RedisPipeline:
    """Sends concurrent commands together; each caller gets the answer to its own.

    Commands go out in the order in which they were submitted.
    """

    def __init__(
        self,
        client: redis.asyncio.Redis,
        batches: BatchSettings,
        observe: Callable[[int, float], None] | None = None,
    ) -> None:
        """``client`` stays the caller's to close."""
        self._client = client
        self._batcher = MicroBatcher[Command, Any](
            self._send, max_size=batches.max_size, max_wait_ms=batches.max_wait_ms, observe=observe
        )

    async def execute(self, command: Command) -> Any:
        """The answer to ``command``. Raises Unavailable, or Misconfigured when it refuses us."""
        return await self._batcher.submit(command)

    async def keys(self, prefix: str) -> AsyncIterator[bytes]:
        """All keys that begin with ``prefix`` (which holds no glob characters), in no order.

        A key may come twice, and one written meanwhile may be left out: SCAN's own promise.
        """
        found = aiter(self._client.scan_iter(match=f"{prefix}*", count=SCAN_PAGE))
        while True:
            with explained():
                key = await anext(found, None)
            if key is None:
                return
            yield key

    async def close(self) -> None:
        """Finish the commands under way."""
        await self._batcher.close()

    async def _send(self, commands: Sequence[Command]) -> list[Any]:
        """Answers in order; an answer that is an error stands at its command's place."""
        pipeline = self._client.pipeline(transaction=False)
        for command in commands:
            command(pipeline)
        with explained():
            answers = await pipeline.execute(raise_on_error=False)
        return [explain(answer) if isinstance(answer, RedisError) else answer for answer in answers]
