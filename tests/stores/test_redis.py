"""Ledger, cache and claims on a real Valkey server."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest
import redis
from cache_contract import CacheContract, ClaimsContract
from ledger_contract import LedgerContract

from operators.stores.redis.cache import RedisCache
from operators.stores.redis.claims import RedisClaims
from operators.stores.redis.client import open_redis
from operators.stores.redis.embedded_server import ensure_server
from operators.stores.redis.ledger import RedisLedger
from operators.stores.redis.pipeline import RedisPipeline
from schemas.catalog import LedgerEntry
from schemas.errors import Misconfigured, Unavailable
from schemas.settings import BatchSettings, RedisSettings

BATCHES = BatchSettings(max_size=64, max_wait_ms=1.0)


class TestRedisLedger(LedgerContract):
    @pytest.fixture
    async def open_ledger(self, client):
        opened = []

        async def open_ledger():
            opened.append(RedisLedger(client, BATCHES))
            return opened[-1]

        yield open_ledger
        for ledger in opened:
            await ledger.close()


class TestRedisCache(CacheContract):
    @pytest.fixture
    async def cache(self, client):
        opened = RedisCache(client, BATCHES)
        yield opened
        await opened.close()

    async def test_values_are_forgotten_after_their_time(self, cache):
        await cache.put("short", b"1", 0.05)
        await cache.put("never", b"1", 0)
        await cache.put("long", b"1", 60)
        assert await cache.get("never") is None
        assert await cache.get("short") == b"1"
        await asyncio.sleep(0.1)
        assert [await cache.get(key) for key in ("short", "long")] == [None, b"1"]


class TestRedisClaims(ClaimsContract):
    @pytest.fixture
    async def claims(self, client):
        opened = RedisClaims(client, BATCHES)
        yield opened
        await opened.close()

    async def test_a_claim_ends_with_the_time_of_its_first_owner(self, claims):
        await claims.claim("look:1", "ann", 0.1)
        await claims.claim("look:1", "ann", 60)  # does not prolong it
        await asyncio.sleep(0.15)
        assert await claims.claim("look:1", "bob", 60) == "bob"


async def test_ledger_cache_and_claims_of_one_name_do_not_meet(client):
    ledger, cache, claims = (
        part(client, BATCHES) for part in (RedisLedger, RedisCache, RedisClaims)
    )
    await ledger.write(LedgerEntry(key="a", version=1))
    await cache.put("a", b"cached", 60)
    assert await claims.claim("a", "ann", 60) == "ann"
    assert (await ledger.read("a")).version == 1
    assert await cache.get("a") == b"cached"
    assert [entry.key async for entry in ledger.scan()] == ["a"]


async def test_ledger_entries_stay_when_everything_with_a_time_to_live_has_gone(client):
    await RedisLedger(client, BATCHES).write(LedgerEntry(key="a", version=1))
    assert await client.ttl("looksync:ledger:a") == -1


async def test_an_entry_that_cannot_be_read_says_so_and_the_others_can(client):
    ledger = RedisLedger(client, BATCHES)
    await ledger.write(LedgerEntry(key="good", version=1))
    await client.set("looksync:ledger:bad", b'{"key": "bad", "version": "soon"}')
    results = await asyncio.gather(ledger.read("bad"), ledger.read("good"), return_exceptions=True)
    assert isinstance(results[0], Misconfigured)
    assert "looksync:ledger:bad" in str(results[0])
    assert results[1].version == 1


async def test_a_command_the_server_refuses_fails_alone(client):
    pipeline = RedisPipeline(client, BATCHES)
    await client.rpush("list", "a")
    results = await asyncio.gather(
        pipeline.execute(lambda commands: commands.set("a", "1")),
        pipeline.execute(lambda commands: commands.get("list")),  # not that kind of value
        pipeline.execute(lambda commands: commands.get("a")),
        return_exceptions=True,
    )
    assert results[0] is True
    assert isinstance(results[1], Unavailable)
    assert results[2] == b"1"


async def test_concurrent_calls_travel_together(client):
    sizes = []
    ledger = RedisLedger(client, BATCHES, observe=lambda size, _: sizes.append(size))
    await asyncio.gather(*(ledger.read(str(number)) for number in range(128)))
    assert sizes == [64, 64]


async def test_a_server_that_dies_is_unavailable_and_found_again_with_all_it_acknowledged(tmp_path):
    server = ensure_server(tmp_path)
    client = open_redis(server.url)
    ledger = RedisLedger(client, BATCHES)
    acknowledged, refused = [], []
    enough = asyncio.Event()

    async def write(worker: int) -> None:
        for number in range(10_000):
            key = f"zari:{worker}-{number}"
            try:
                await ledger.write(LedgerEntry(key=key, version=number))
            except Unavailable:
                refused.append(key)
                return
            acknowledged.append(key)
            if len(acknowledged) == 300:
                enough.set()

    async def kill() -> None:
        await enough.wait()
        os.kill(server.pid, signal.SIGKILL)

    async with asyncio.timeout(30):
        await asyncio.gather(kill(), *(write(worker) for worker in range(32)))
    assert len(refused) == 32
    with pytest.raises(Unavailable):
        await ledger.read("zari:0-0")

    again = ensure_server(tmp_path)
    try:
        entries = await ledger.read_many(acknowledged)  # the same ledger, the same client
        assert None not in entries
        await ledger.write(LedgerEntry(key="zari:after", version=1))
        assert {entry.key async for entry in ledger.scan()} >= {*acknowledged, "zari:after"}
    finally:
        await client.aclose()
        server.stop()
        again.stop()


async def test_a_server_that_hangs_is_unavailable_and_used_again_when_it_goes_on(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("operators.stores.redis.client.ANSWER_SECONDS", 0.2)
    server = ensure_server(tmp_path)
    client = open_redis(server.url)
    ledger = RedisLedger(client, BATCHES)
    try:
        await ledger.write(LedgerEntry(key="a", version=1))
        os.kill(server.pid, signal.SIGSTOP)
        async with asyncio.timeout(2):
            with pytest.raises(Unavailable):
                await ledger.read("a")
        os.kill(server.pid, signal.SIGCONT)
        # Not the late answer to the question that was given up.
        await ledger.write(LedgerEntry(key="b", version=2))
        versions = [entry.version for entry in await ledger.read_many(["b", "a"])]
        assert versions == [2, 1]
    finally:
        await client.aclose()
        server.stop()


async def test_nobody_at_the_address_is_unavailable(tmp_path):
    client = open_redis(f"unix://{tmp_path}/nobody.sock")
    for part in (RedisLedger(client, BATCHES).read, RedisCache(client, BATCHES).get):
        with pytest.raises(Unavailable):
            await part("a")
    await client.aclose()


async def test_a_wrong_password_is_misconfigured(tmp_path):
    server = ensure_server(tmp_path)
    with redis.from_url(server.url) as admin:
        admin.config_set("requirepass", "right")
    client = open_redis(f"{server.url}?password=wrong")
    try:
        with pytest.raises(Misconfigured, match=r"redis\.url") as refused:
            await RedisLedger(client, BATCHES).read("a")
        assert "password=wrong" not in str(refused.value)
    finally:
        await client.aclose()
        server.stop()


@pytest.mark.parametrize(
    "url",
    [
        "redis://user:s3cret@host:6379/0",
        "rediss://:s3cret@host/1",
        "unix:///run/valkey.sock?db=1&password=s3cret",
    ],
)
def test_the_password_in_an_address_is_never_shown(url):
    settings = RedisSettings(url=url, password="s3cret")
    assert settings.url == url
    assert "s3cret" not in settings.shown_url
    assert "s3cret" not in settings.model_dump_json()
    assert "***" in settings.shown_url


def test_certificates_without_tls_or_without_a_file_are_misconfigured(tmp_path):
    (tmp_path / "ca.pem").touch()
    plain = RedisSettings(url="redis://host", ca_file=tmp_path / "ca.pem")
    with pytest.raises(Misconfigured, match="rediss://"):
        open_redis(plain.url, plain)
    gone = RedisSettings(url="rediss://host", client_key=tmp_path / "gone.pem")
    with pytest.raises(Misconfigured, match=r"redis\.client_key.*gone\.pem"):
        open_redis(gone.url, gone)


@pytest.mark.parametrize("url", ["", "localhost:6379", "http://localhost", "redis://host:port/0"])
def test_an_address_that_is_none_is_misconfigured(url):
    with pytest.raises(Misconfigured, match=r"redis\.url"):
        open_redis(url)
