"""The product ledger in Redis: one compact JSON value per product."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress

from pydantic import ValidationError
from redis.asyncio import Redis

from operators.metering import Meter, unmetered
from operators.stores.redis.ledger_identity import IdentityGuard
from operators.stores.redis.pipeline import RedisPipeline
from schemas.catalog import LedgerEntry
from schemas.errors import UnreadableEntry
from schemas.settings import BatchSettings

PREFIX = "looksync:ledger:"

SCAN_PAGE = 500
"""Entries per read of a scan; about half a megabyte."""


class RedisLedger:
    """A :class:`operators.ports.BatchLedger`.

    A write is acknowledged when the server has applied it and passed it to its operating system;
    the server's appendfsync setting decides when it reaches the disk.
    """

    def __init__(
        self,
        client: Redis,
        batches: BatchSettings,
        observe: Callable[[int, float], None] | None = None,
        guard: IdentityGuard | None = None,
        meter: Meter = unmetered,
    ) -> None:
        """The caller closes ``client``; ``observe``: see MicroBatcher; ``meter``: of requests.

        With ``guard``, reads and writes raise LedgerLost once the ledger is no longer the guarded
        one; None: for jobs that repair the ledger, and for reports.
        """
        self._redis = RedisPipeline(client, batches, observe, meter, guard)

    async def read(self, key: str) -> LedgerEntry | None:
        try:
            value = await self._redis.execute(
                lambda pipeline: pipeline.get(PREFIX + key), kind="read"
            )
        except UnreadableEntry as error:
            raise _unreadable(key, str(error), error.reason) from error
        return _parse(key, value)

    async def read_many(
        self, keys: Sequence[str], on_unreadable: Callable[[UnreadableEntry], None]
    ) -> list[LedgerEntry | None]:
        async def read(key: str) -> LedgerEntry | None:
            try:
                return await self.read(key)
            except UnreadableEntry as error:
                on_unreadable(error)
                return None

        return list(await asyncio.gather(*map(read, keys)))

    async def read_known(self, keys: Sequence[str]) -> dict[str, LedgerEntry]:
        names = [PREFIX + key for key in keys]
        values = await self._redis.execute_alone(lambda pipe: pipe.mget(names), kind="read")
        known = {}
        for key, value in zip(keys, values, strict=True):
            # Without a value there may be one of another type: MGET does not tell.
            with suppress(UnreadableEntry):
                if (entry := _parse(key, value)) is not None:
                    known[key] = entry
        return known

    async def write(self, entry: LedgerEntry) -> None:
        value = entry.model_dump_json(exclude_defaults=True)
        await self._redis.execute(
            lambda pipeline: pipeline.set(PREFIX + entry.key, value), kind="write"
        )

    async def write_many(self, entries: Sequence[LedgerEntry]) -> None:
        values = {
            PREFIX + entry.key: entry.model_dump_json(exclude_defaults=True) for entry in entries
        }
        await self._redis.execute_alone(lambda pipe: pipe.mset(values), kind="write")

    async def scan(self, prefix: str = "") -> AsyncIterator[LedgerEntry]:
        """Some entries may be repeated when keys are written during the scan.

        ``prefix``: without the characters that have a meaning in Redis's patterns.
        """
        page: list[str] = []
        async for name in self._redis.keys(PREFIX + prefix):
            page.append(name.decode().removeprefix(PREFIX))
            if len(page) == SCAN_PAGE:
                for entry in await self._read_page(page):
                    yield entry
                page.clear()
        for entry in await self._read_page(page):
            yield entry

    async def _read_page(self, keys: Sequence[str]) -> list[LedgerEntry]:
        entries = await asyncio.gather(*map(self.read, keys))
        return [entry for entry in entries if entry is not None]

    async def close(self) -> None:
        """Finish pending calls."""
        await self._redis.close()


def _parse(key: str, value: bytes | None) -> LedgerEntry | None:
    if value is None:
        return None
    try:
        entry = LedgerEntry.read(value)
    except ValidationError as error:
        raise _unreadable(
            key,
            "written by another version, or by another program "
            f"({error.error_count()} problems, first: {error.errors()[0]['msg']})",
        ) from error
    if entry.key != key:
        raise _unreadable(key, f"it is the entry of {entry.key!r}")
    return entry


def _unreadable(key: str, why: str, reason: str = "ledger-unreadable") -> UnreadableEntry:
    return UnreadableEntry(
        f"ledger entry {PREFIX}{key} cannot be read: {why}; delete that key, run `looksync jobs "
        "rebuild-ledger`, and replay the dead letters",
        reason=reason,
    )
