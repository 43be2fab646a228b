"""Keys, unreadable values, batches and outages of the stores on a Valkey server."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest
from redis.asyncio import Redis

from operators.stores.redis.cache import RedisCache
from operators.stores.redis.claims import RedisClaims
from operators.stores.redis.client import open_redis
from operators.stores.redis.embedded_server import ensure_server
from operators.stores.redis.ledger import SCAN_PAGE, RedisLedger
from operators.stores.redis.pipeline import RedisPipeline
from operators.stores.redis.schedule import RedisSchedule
from schemas.catalog import LedgerEntry
from schemas.errors import Misconfigured, Unavailable, UnreadableEntry
from schemas.settings import BatchSettings
from tests.stores.ledger_contract import refuse

BATCHES = BatchSettings(max_size=64, max_wait_ms=1.0)


async def test_ledger_cache_and_claims_have_separate_keys(client: Redis) -> None:
    ledger, cache, claims = (
        RedisLedger(client, BATCHES),
        RedisCache(client, BATCHES),
        RedisClaims(client, BATCHES),
    )
    await ledger.write(LedgerEntry(key="a", version=1))
    await cache.put("a", b"cached", 60)
    assert await claims.claim("a", "ann", 60) == "ann"
    assert await ledger.read("a") == LedgerEntry(key="a", version=1)
    assert await cache.get("a") == b"cached"
    assert [entry.key async for entry in ledger.scan()] == ["a"]


async def test_ledger_entries_never_expire(client: Redis) -> None:
    await RedisLedger(client, BATCHES).write(LedgerEntry(key="a", version=1))
    assert await client.ttl("looksync:ledger:a") == -1


async def test_a_ledger_entry_without_defaults_is_compact(client: Redis) -> None:
    await RedisLedger(client, BATCHES).write(LedgerEntry(key="a", version=1))
    assert await client.get("looksync:ledger:a") == b'{"key":"a","version":1}'


async def test_an_unreadable_entry_is_reported_with_its_key_and_fails_alone(client: Redis) -> None:
    ledger = RedisLedger(client, BATCHES)
    await ledger.write(LedgerEntry(key="good", version=1))
    await client.set("looksync:ledger:bad", b'{"key": "bad", "version": "soon"}')
    bad, good = await asyncio.gather(
        ledger.read("bad"), ledger.read("good"), return_exceptions=True
    )
    assert isinstance(bad, UnreadableEntry)
    assert "looksync:ledger:bad" in str(bad)
    assert bad.reason == "ledger-unreadable"
    assert good == LedgerEntry(key="good", version=1)


@pytest.mark.parametrize(
    "value",
    [
        b"{",
        b"\xff",
        b"[]",
        b'{"key": "other", "version": 1}',
        b'{"key": "bad", "version": true}',
        b'{"key": "bad", "version": 1e400}',
        b'{"key": "bad", "version": 9223372036854775808}',
        b'{"key": "bad", "version": 1, "patched": {"title": -1}}',
        b'{"key": "bad", "version": 1, "update": {"stock": true}}',
        b'{"key": "bad", "version": 1, "update": {"price": {"amount_minor": NaN}}}',
    ],
)
async def test_one_unreadable_entry_leaves_the_others_readable(client: Redis, value: bytes) -> None:
    ledger, unreadable = RedisLedger(client, BATCHES), list[UnreadableEntry]()
    good = LedgerEntry(key="good", version=1)
    await ledger.write(good)
    await client.set("looksync:ledger:bad", value)
    assert await ledger.read_many(["bad", "good"], unreadable.append) == [None, good]
    assert "looksync:ledger:bad" in str(unreadable[0])


async def test_a_key_of_another_type_affects_only_itself(client: Redis) -> None:
    ledger, cache, claims = (
        RedisLedger(client, BATCHES),
        RedisCache(client, BATCHES),
        RedisClaims(client, BATCHES),
    )
    for key in ("looksync:ledger:bad", "looksync:cache:bad", "looksync:claim:bad"):
        await client.rpush(key, "another program's")
    with pytest.raises(UnreadableEntry, match="looksync:ledger:bad"):
        await ledger.read("bad")
    with pytest.raises(UnreadableEntry, match="looksync:claim:bad"):
        await claims.claim("bad", "ann", 60)
    assert await claims.claim("good", "ann", 60) == "ann"
    assert await cache.get("bad") is None
    await cache.put("bad", b"mended", 60)
    assert await cache.get("bad") == b"mended"


async def test_an_undecodable_claim_affects_only_itself(client: Redis) -> None:
    await client.set("looksync:claim:bad", b"\xff")
    with pytest.raises(UnreadableEntry, match="looksync:claim:bad"):
        await RedisClaims(client, BATCHES).claim("bad", "ann", 60)


async def test_a_scan_reads_entries_in_pages(client: Redis) -> None:
    sizes: list[int] = []
    batches = BatchSettings(max_size=10_000, max_wait_ms=0.0)
    ledger = RedisLedger(client, batches, observe=lambda size, _: sizes.append(size))
    await asyncio.gather(
        *(ledger.write(LedgerEntry(key=str(number), version=1)) for number in range(1_200))
    )
    sizes.clear()
    scanned = [entry.key async for entry in ledger.scan()]
    assert set(scanned) == {str(number) for number in range(1_200)}
    assert max(sizes) == SCAN_PAGE
    # SCAN itself may repeat a few keys.
    assert len(sizes) == 3
    assert sum(sizes) == len(scanned) < 1_300


async def test_keys_are_those_of_the_prefix(client: Redis) -> None:
    await client.mset({"a:1": "", "a:2": "", "b:1": "", "ba:1": ""})
    pipeline = RedisPipeline(client, BATCHES)
    assert {key async for key in pipeline.keys("a:")} == {b"a:1", b"a:2"}


async def test_the_client_reconnects_when_its_server_was_demoted(tmp_path: Path) -> None:
    server = ensure_server(tmp_path)
    client = open_redis(server.url)
    ledger = RedisLedger(client, BATCHES)
    try:
        await ledger.write(LedgerEntry(key="a", version=1))
        before = await client.client_id()
        await ledger.read("a")
        assert await client.client_id() == before
        await client.replicaof("127.0.0.1", "1")
        with pytest.raises(Unavailable, match="replica"):
            await ledger.write(LedgerEntry(key="a", version=2))
        assert await client.client_id() != before
    finally:
        await client.replicaof("NO", "ONE")
        await client.aclose()
        server.stop()


async def test_a_rejected_command_fails_alone(client: Redis) -> None:
    pipeline = RedisPipeline(client, BATCHES)
    await client.rpush("list", "the wrong type of value")
    results = await asyncio.gather(
        pipeline.execute(lambda commands: commands.set("a", "1"), kind="write"),
        pipeline.execute(lambda commands: commands.get("list"), kind="read"),
        pipeline.execute(lambda commands: commands.get("a"), kind="read"),
        return_exceptions=True,
    )
    assert results[0] is True
    assert isinstance(results[1], UnreadableEntry)
    assert results[2] == b"1"


async def test_a_server_that_answers_others_says_so_in_the_errors_of_one(client: Redis) -> None:
    """The user may not touch one key: other keys are read and written, so it is the item's."""
    await client.acl_setuser(
        "some", enabled=True, nopass=True, categories=["+@all"], keys=["looksync:ledger:good*"]
    )
    path = client.connection_pool.connection_kwargs["path"]
    limited = open_redis(f"unix://some:x@{path}")
    ledger = RedisLedger(limited, BATCHES)
    counts = []
    try:
        for number in range(3):
            with pytest.raises(Misconfigured, match="lacks a permission") as failed:
                await ledger.read("bad")
            counts.append(failed.value.served)
            await ledger.read(f"good{number}")
        assert counts == [("read", 0), ("read", 1), ("read", 2)]
        with pytest.raises(Misconfigured) as failed:
            await ledger.write(LedgerEntry(key="bad", version=1))
        assert failed.value.served == ("write", 0)
    finally:
        await limited.aclose()
        await client.acl_deluser("some")


async def test_a_schedule_that_is_another_programs_costs_a_letter(client: Redis) -> None:
    await client.set("looksync:refreshes", "another program's")
    with pytest.raises(UnreadableEntry, match="looksync:refreshes"):
        await RedisSchedule(client).set("shop:1", datetime.now(UTC))


async def test_concurrent_calls_share_batches(client: Redis) -> None:
    ledger_sizes: list[int] = []
    cache_sizes: list[int] = []
    claim_sizes: list[int] = []
    batches = BatchSettings(max_size=64, max_wait_ms=10_000.0)
    ledger = RedisLedger(client, batches, observe=lambda size, _: ledger_sizes.append(size))
    cache = RedisCache(client, batches, observe=lambda size, _: cache_sizes.append(size))
    claims = RedisClaims(client, batches, observe=lambda size, _: claim_sizes.append(size))
    await asyncio.gather(*(ledger.read(str(number)) for number in range(128)))
    await asyncio.gather(*(cache.get(str(number)) for number in range(128)))
    await asyncio.gather(*(claims.claim(str(number), "ann", 60) for number in range(128)))
    assert ledger_sizes == cache_sizes == claim_sizes == [64, 64]


async def test_close_sends_pending_commands(client: Redis) -> None:
    hour = BatchSettings(max_size=64, max_wait_ms=3_600_000.0)
    ledger, cache, claims = (
        RedisLedger(client, hour),
        RedisCache(client, hour),
        RedisClaims(client, hour),
    )
    pending = asyncio.gather(
        ledger.write(LedgerEntry(key="a", version=1)),
        cache.put("a", b"1", 60),
        claims.claim("a", "ann", 60),
    )
    await asyncio.sleep(0)
    for store in (ledger, cache, claims):
        await store.close()
    assert await client.exists("looksync:ledger:a", "looksync:cache:a", "looksync:claim:a") == 3
    await pending


async def test_a_killed_server_is_unavailable_and_keeps_acknowledged_writes(
    tmp_path: Path,
) -> None:
    server = ensure_server(tmp_path)
    client = open_redis(server.url)
    ledger = RedisLedger(client, BATCHES)
    acknowledged: list[str] = []
    refused: list[str] = []
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

    await asyncio.gather(kill(), *(write(worker) for worker in range(32)))
    assert len(refused) == 32
    with pytest.raises(Unavailable):
        await ledger.read("zari:0-0")

    again = ensure_server(tmp_path)
    try:
        entries = await ledger.read_many(acknowledged, refuse)  # the client reconnects
        assert None not in entries
        await ledger.write(LedgerEntry(key="zari:after", version=1))
        assert {entry.key async for entry in ledger.scan()} >= {*acknowledged, "zari:after"}
    finally:
        await client.aclose()
        server.stop()
        again.stop()


async def test_a_hanging_server_is_unavailable_and_late_replies_are_discarded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("operators.stores.redis.client.ANSWER_SECONDS", 0.2)
    server = ensure_server(tmp_path)
    client = open_redis(server.url)
    ledger = RedisLedger(client, BATCHES)
    try:
        await ledger.write(LedgerEntry(key="a", version=1))
        os.kill(server.pid, signal.SIGSTOP)
        with pytest.raises(Unavailable):
            await ledger.read("a")
        os.kill(server.pid, signal.SIGCONT)
        entries = [LedgerEntry(key="b", version=2), LedgerEntry(key="a", version=1)]
        await ledger.write(entries[0])
        assert await ledger.read_many(["b", "a"], refuse) == entries
    finally:
        await client.aclose()
        server.stop()
