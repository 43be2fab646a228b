"""What every Cache and every Claims promises: fixtures ``cache`` and ``claims``."""

from __future__ import annotations

import asyncio

import pytest


class CacheContract:
    async def test_bytes_come_back_unchanged(self, cache):
        every = bytes(range(256)) * 10
        await cache.put("a", every, 60)
        assert await cache.get("a") == every

    async def test_an_empty_value_is_a_value(self, cache):
        await cache.put("a", b"", 60)
        assert await cache.get("a") == b""

    async def test_what_was_never_put_is_none(self, cache):
        assert await cache.get("a") is None

    async def test_the_last_value_counts(self, cache):
        await cache.put("a", b"1", 60)
        await cache.put("a", b"2", 60)
        assert await cache.get("a") == b"2"

    async def test_concurrent_calls_each_get_their_own(self, cache):
        async def live(number: int) -> None:
            await cache.put(f"key {number}", str(number).encode(), 60)
            assert await cache.get(f"key {number}") == str(number).encode()

        await asyncio.gather(*(live(number) for number in range(50)))


class ClaimsContract:
    async def test_the_first_owner_stays(self, claims):
        assert await claims.claim("look:1", "ann", 60) == "ann"
        assert await claims.claim("look:1", "bob", 60) == "ann"
        assert await claims.claim("look:2", "bob", 60) == "bob"

    async def test_the_owner_may_ask_again(self, claims):
        assert await claims.claim("look:1", "topic/0/17", 60) == "topic/0/17"
        assert await claims.claim("look:1", "topic/0/17", 60) == "topic/0/17"

    @pytest.mark.parametrize("owner", ["", "アン", "a b\n"])
    async def test_owners_are_any_text(self, claims, owner):
        assert await claims.claim("look:1", owner, 60) == owner
        assert await claims.claim("look:1", "other", 60) == owner

    async def test_of_many_at_once_one_wins_and_all_agree(self, claims):
        owners = await asyncio.gather(
            *(claims.claim("look:1", f"owner-{number}", 60) for number in range(40))
        )
        assert len(set(owners)) == 1
