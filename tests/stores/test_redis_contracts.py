"""Ledger, cache, schedule and claims on a Valkey server do what their ports promise."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from operators.stores.redis.cache import RedisCache
from operators.stores.redis.claims import RedisClaims
from operators.stores.redis.ledger import RedisLedger
from operators.stores.redis.schedule import RedisSchedule
from schemas.settings import BatchSettings
from tests.stores.cache_contract import CacheContract, ClaimsContract
from tests.stores.ledger_contract import LedgerContract, OpenLedger
from tests.stores.schedule_contract import ScheduleContract

BATCHES = BatchSettings(max_size=64, max_wait_ms=1.0)


class TestRedisLedger(LedgerContract):
    @pytest.fixture
    async def open_ledger(self, client: Redis) -> AsyncIterator[OpenLedger]:
        opened: list[RedisLedger] = []

        async def open_ledger() -> RedisLedger:
            opened.append(RedisLedger(client, BATCHES))
            return opened[-1]

        yield open_ledger
        for ledger in opened:
            await ledger.close()


class TestRedisCache(CacheContract):
    @pytest.fixture
    async def cache(self, client: Redis) -> AsyncIterator[RedisCache]:
        opened = RedisCache(client, BATCHES)
        yield opened
        await opened.close()

    async def test_a_value_has_the_time_to_live_it_was_given(
        self, cache: RedisCache, client: Redis
    ) -> None:
        await cache.put("minute", b"1", 60)
        await cache.put("day", b"1", 86_400)
        assert 50_000 < await client.pttl("looksync:cache:minute") <= 60_000
        assert 86_000_000 < await client.pttl("looksync:cache:day") <= 86_400_000

    async def test_a_time_to_live_below_a_millisecond_stores_nothing(
        self, cache: RedisCache, client: Redis
    ) -> None:
        for seconds in (0, 0.0009, -1):
            await cache.put("a", b"1", seconds)
        assert await client.exists("looksync:cache:a") == 0


class TestRedisSchedule(ScheduleContract):
    @pytest.fixture
    def schedule(self, client: Redis) -> RedisSchedule:
        return RedisSchedule(client)


class TestRedisClaims(ClaimsContract):
    @pytest.fixture
    async def claims(self, client: Redis) -> AsyncIterator[RedisClaims]:
        opened = RedisClaims(client, BATCHES)
        yield opened
        await opened.close()

    async def test_a_claim_lives_as_long_as_its_first_owner_asked(
        self, claims: RedisClaims, client: Redis
    ) -> None:
        week = 7 * 86_400
        await claims.claim("look:1", "ann", week)
        await claims.claim("look:1", "ann", 2 * week)
        await claims.claim("look:1", "bob", 60)
        remaining = await client.pttl("looksync:claim:look:1")
        assert 1000 * (week - 600) < remaining <= 1000 * week

    async def test_a_claim_without_a_time_to_live_ends_at_once(
        self, claims: RedisClaims, client: Redis
    ) -> None:
        """Redis rejects a time to live of 0."""
        assert await claims.claim("look:1", "ann", 0) == "ann"
        assert await client.pttl("looksync:claim:look:1") <= 1
