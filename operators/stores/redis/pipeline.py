"""Sends the concurrent commands of the ledger, the cache and the claims in pipelines.

Most commands touch one key, and a pipeline is not a transaction. docs/decisions/031 has the
measurements, 170 those of the catalog flow's batches, which read and write many keys at once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Protocol, TypeAlias

import redis.asyncio
from redis.asyncio.client import Pipeline
from redis.exceptions import ReadOnlyError, RedisError

from operators.batcher import MicroBatcher
from operators.metering import Meter, unmetered
from operators.served_calls import ServedCalls
from operators.stores.redis.client import (
    WRONG_TYPE,
    is_wrong_type,
    translate_error,
    translate_errors,
)
from schemas.errors import LookSyncError, UnreadableEntry
from schemas.settings import BatchSettings

SCAN_PAGE = 1_000
"""Keys that the server examines per SCAN; it blocks other clients meanwhile (0.5 ms, measured)."""

Command: TypeAlias = Callable[[Pipeline], Any]
"""Adds one command on one key to a pipeline: ``lambda pipeline: pipeline.get(name)``."""


class Guard(Protocol):
    """A command that ends every batch, and a check of its reply.

    The commands of one connection run in order, so the check applies to the state after the last
    command of the batch.
    """

    def command(self, pipeline: Pipeline) -> object: ...

    def check(self, reply: Any) -> None:
        """Raise when the batch must fail."""
        ...


class RedisPipeline:
    """Sends concurrent commands together, in the order of submission; each caller gets the reply to
    its own command."""

    def __init__(
        self,
        client: redis.asyncio.Redis,
        batches: BatchSettings,
        observe: Callable[[int, float], None] | None = None,
        meter: Meter = unmetered,
        guard: Guard | None = None,
    ) -> None:
        """The caller closes ``client``."""
        self._client = client
        self._meter = meter
        self._guard = guard
        self._served = ServedCalls()
        self._batcher = MicroBatcher[Command, Any](
            self._send, max_size=batches.max_size, max_wait_ms=batches.max_wait_ms, observe=observe
        )

    async def execute(self, command: Command, *, kind: str) -> Any:
        """The reply to ``command``. Raises Unavailable, UnreadableEntry for a key of another type,
        or Misconfigured for a rejected login or a missing permission.

        ``kind``: of the command, ``read`` or ``write``; see ServedCalls.
        """
        with self._served.call(kind):
            return await self._batcher.submit(command)

    async def get(self, name: str) -> bytes | None:
        """The value of ``name``; None also for a key of another type, which the next write of a
        value replaces. Raises Unavailable or Misconfigured."""
        try:
            value: bytes | None = await self.execute(lambda p: p.get(name), kind="read")
        except UnreadableEntry:
            return None
        return value

    async def execute_alone(self, command: Command, *, kind: str) -> Any:
        """The reply to ``command``, which is sent at once: for one that touches many keys."""
        with self._served.call(kind):
            (reply,) = await self._send([command])
            if isinstance(reply, LookSyncError):
                raise reply
            return reply

    async def keys(self, prefix: str) -> AsyncIterator[bytes]:
        """All keys that begin with ``prefix`` (without glob characters), in no order.

        As SCAN guarantees: a key may be repeated, and one written during the scan may be missing.
        """
        found = aiter(self._client.scan_iter(match=f"{prefix}*", count=SCAN_PAGE))
        while True:
            with translate_errors():
                key = await anext(found, None)
            if key is None:
                return
            yield key

    async def close(self) -> None:
        """Finish pending commands."""
        await self._batcher.close()

    async def _send(self, commands: Sequence[Command]) -> list[Any]:
        """The replies in order, errors in place."""
        guard = self._guard
        pipeline = self._client.pipeline(transaction=False)
        for command in (*commands, guard.command) if guard else commands:
            command(pipeline)
        with translate_errors(), self._meter():
            replies = await pipeline.execute(raise_on_error=False)
        if any(isinstance(reply, ReadOnlyError) for reply in replies):
            # This server was demoted to a replica: only a new connection reaches the new primary.
            await self._client.connection_pool.disconnect()
        if guard:
            last = replies.pop()
            if is_wrong_type(last):
                last = b""  # to the guard, as good as any other value of another program
            if isinstance(last, RedisError):
                raise translate_error(last) from last
            guard.check(last)
        return [
            _error_of_one_key(reply) if isinstance(reply, RedisError) else reply
            for reply in replies
        ]


def _error_of_one_key(error: RedisError) -> LookSyncError:
    """The error of a command whose key no other item uses."""
    if is_wrong_type(error):
        return UnreadableEntry(
            "another program stored something else than a string there; delete the key",
            reason=WRONG_TYPE,
        )
    return translate_error(error)
