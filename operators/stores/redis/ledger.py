"""The product ledger in Redis: one compact JSON value per product."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from pydantic import ValidationError
from redis.asyncio import Redis

from operators.stores.redis.ledger_identity import IdentityGuard
from operators.stores.redis.pipeline import RedisPipeline
from schemas.catalog import LedgerEntry
from schemas.errors import Misconfigured
from schemas.settings import BatchSettings

PREFIX = "looksync:ledger:"

SCAN_PAGE = 500
"""Entries read together by a scan; about half a megabyte."""


class RedisLedger:
    """A :class:`operators.ports.Ledger`.

    A write is acknowledged when the server has it in memory and has handed it to its operating
    system; when that reaches the disk is the server's setting (appendfsync).
    """

    def __init__(
        self,
        client: Redis,
        batches: BatchSettings,
        observe: Callable[[int, float], None] | None = None,
        guard: IdentityGuard | None = None,
    ) -> None:
        """``client`` stays the caller's to close; ``observe``: see MicroBatcher.

        With ``guard``, reads and writes raise LedgerLost once the ledger is not the one it knows;
        None: for jobs that mend the ledger, and for reports.
        """
        self._redis = RedisPipeline(client, batches, observe, guard)

    async def read(self, key: str) -> LedgerEntry | None:
        return _parsed(key, await self._redis.execute(lambda pipeline: pipeline.get(PREFIX + key)))

    async def read_many(self, keys: Sequence[str]) -> list[LedgerEntry | None]:
        return list(await asyncio.gather(*(self.read(key) for key in keys)))

    async def write(self, entry: LedgerEntry) -> None:
        value = entry.model_dump_json(exclude_defaults=True)
        await self._redis.execute(lambda pipeline: pipeline.set(PREFIX + entry.key, value))

    async def scan(self) -> AsyncIterator[LedgerEntry]:
        """Every entry; one may come twice when keys are written meanwhile."""
        page: list[str] = []
        async for name in self._redis.keys(PREFIX):
            page.append(name.decode().removeprefix(PREFIX))
            if len(page) == SCAN_PAGE:
                for entry in await self.read_many(page):
                    if entry is not None:
                        yield entry
                page.clear()
        for entry in await self.read_many(page):
            if entry is not None:
                yield entry

    async def close(self) -> None:
        """Finish the calls under way."""
        await self._redis.close()


def _parsed(key: str, value: bytes | None) -> LedgerEntry | None:
    if value is None:
        return None
    try:
        return LedgerEntry.model_validate_json(value)
    except ValidationError as error:
        raise Misconfigured(
            f"ledger entry {PREFIX}{key} cannot be read: written by another version, or by "
            f"another program ({error.error_count()} problems, first: {error.errors()[0]['msg']}); "
            "delete that key and run `looksync jobs rebuild-ledger`",
            reason="ledger-unreadable",
        ) from error
