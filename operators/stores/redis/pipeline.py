"""Redis behind the ledger, the cache and the claims: concurrent commands travel together.

Each command touches one key, and a pipeline is no transaction. docs/decisions/031 has the figures.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Protocol, TypeAlias

import redis.asyncio
from redis.asyncio.client import Pipeline
from redis.exceptions import ReadOnlyError, RedisError

from operators.batcher import MicroBatcher
from operators.stores.redis.client import explain, explained
from schemas.settings import BatchSettings

SCAN_PAGE = 1_000
"""Keys the server looks at per SCAN; it serves nobody else meanwhile (0.5 ms, measured)."""

Command: TypeAlias = Callable[[Pipeline], Any]
"""Puts one command on a pipeline: ``lambda pipeline: pipeline.get(name)``."""


class Guard(Protocol):
    """A command that ends every batch, and what its answer must be.

    One connection's commands are carried out in order: what ``check`` lets pass was so after the
    last command of the batch.
    """

    def command(self, pipeline: Pipeline) -> object: ...

    def check(self, answer: Any) -> None:
        """Raises for an answer that voids the batch."""
        ...


class RedisPipeline:
    """Sends concurrent commands together; each caller gets the answer to its own.

    Commands go out in the order in which they were submitted.
    """

    def __init__(
        self,
        client: redis.asyncio.Redis,
        batches: BatchSettings,
        observe: Callable[[int, float], None] | None = None,
        guard: Guard | None = None,
    ) -> None:
        """``client`` stays the caller's to close."""
        self._client = client
        self._guard = guard
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
        guard = self._guard
        pipeline = self._client.pipeline(transaction=False)
        for command in (*commands, guard.command) if guard else commands:
            command(pipeline)
        with explained():
            answers = await pipeline.execute(raise_on_error=False)
        if any(isinstance(answer, ReadOnlyError) for answer in answers):
            # It was the primary and no longer is: only a new connection finds the new one.
            await self._client.connection_pool.disconnect()
        if guard:
            last = answers.pop()
            if isinstance(last, RedisError):
                raise explain(last) from last
            guard.check(last)
        return [explain(answer) if isinstance(answer, RedisError) else answer for answer in answers]
