"""The contracts of every Cache and Claims. Subclasses provide ``cache`` and ``claims``."""

from __future__ import annotations

import asyncio

import pytest

from operators.ports import Cache, Claims


class CacheContract:
    async def test_values_are_returned_unchanged(self, cache: Cache) -> None:
        every = bytes(range(256)) * 10
        await cache.put("a", every, 60)
        assert await cache.get("a") == every

    async def test_an_empty_value_is_a_value(self, cache: Cache) -> None:
        await cache.put("a", b"", 60)
        assert await cache.get("a") == b""

    async def test_a_missing_key_is_none(self, cache: Cache) -> None:
        assert await cache.get("a") is None

    async def test_a_second_value_replaces_the_first(self, cache: Cache) -> None:
        await cache.put("a", b"1", 60)
        await cache.put("a", b"2", 60)
        assert await cache.get("a") == b"2"

    async def test_concurrent_calls_get_their_own_values(self, cache: Cache) -> None:
        async def live(number: int) -> None:
            await cache.put(f"key {number}", str(number).encode(), 60)
            assert await cache.get(f"key {number}") == str(number).encode()

        await asyncio.gather(*(live(number) for number in range(50)))


class ClaimsContract:
    async def test_the_first_owner_keeps_the_claim(self, claims: Claims) -> None:
        assert await claims.claim("look:1", "ann", 60) == "ann"
        assert await claims.claim("look:1", "bob", 60) == "ann"
        assert await claims.claim("look:2", "bob", 60) == "bob"

    async def test_a_repeated_claim_returns_the_same_owner(self, claims: Claims) -> None:
        assert await claims.claim("look:1", "topic/0/17", 60) == "topic/0/17"
        assert await claims.claim("look:1", "topic/0/17", 60) == "topic/0/17"

    @pytest.mark.parametrize("owner", ["", "アン", "a b\n"])
    async def test_owners_may_be_any_text(self, claims: Claims, owner: str) -> None:
        assert await claims.claim("look:1", owner, 60) == owner
        assert await claims.claim("look:1", "other", 60) == owner

    async def test_concurrent_claims_agree_on_one_owner(self, claims: Claims) -> None:
        owners = await asyncio.gather(
            *(claims.claim("look:1", f"owner-{number}", 60) for number in range(40))
        )
        assert len(set(owners)) == 1
