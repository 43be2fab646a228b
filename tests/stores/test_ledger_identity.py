"""A ledger that is lost is never taken for an empty one."""

from __future__ import annotations

import asyncio

import pytest
from doubles import InMemoryIndex, unit_vector
from indexed_products import DIMENSION, PLAIN

from operators.stores.redis.client import open_redis
from operators.stores.redis.embedded_server import ensure_server, stop_left_over
from operators.stores.redis.ledger import RedisLedger
from operators.stores.redis.ledger_identity import (
    KEY,
    IdentityGuard,
    LedgerIdentity,
    forget_identity,
    identify,
    remember,
    remembered,
    write_identity,
)
from operators.stores.redis.pipeline import RedisPipeline
from schemas.catalog import LedgerEntry
from schemas.errors import LedgerLost
from schemas.settings import BatchSettings

BATCHES = BatchSettings(max_size=16, max_wait_ms=1.0)


async def stocked_index() -> InMemoryIndex:
    index = InMemoryIndex()
    await index.upsert("zari:1", unit_vector(b"1", DIMENSION), PLAIN)
    return index


async def test_a_new_ledger_with_a_new_index_has_one_identity_for_all_who_come(client):
    index = InMemoryIndex()
    found = await asyncio.gather(*(identify(client, index) for _ in range(20)))
    assert len(set(found)) == 1
    assert await identify(client, await stocked_index()) == found[0]
    assert await client.ttl(KEY) == -1


async def test_an_empty_redis_beside_an_index_with_products_is_a_lost_ledger(client):
    with pytest.raises(LedgerLost, match="looksync jobs rebuild-ledger"):
        await identify(client, await stocked_index())
    assert await client.get(KEY) is None


async def test_a_flow_that_had_a_ledger_does_not_begin_a_new_one(client):
    known = await identify(client, InMemoryIndex())
    await client.flushall()
    with pytest.raises(LedgerLost):
        await identify(client, InMemoryIndex(), known)


async def test_another_installations_ledger_is_refused(client):
    mine = LedgerIdentity.new()
    await write_identity(client, LedgerIdentity.new())
    with pytest.raises(LedgerLost, match=mine.id):
        await identify(client, await stocked_index(), mine)


async def test_a_ledger_rebuilt_for_this_index_is_accepted_and_for_another_one_is_not(client):
    index, mine = await stocked_index(), LedgerIdentity.new()
    rebuilt = LedgerIdentity.new(rebuilt_for=index.generation)
    await write_identity(client, rebuilt)
    assert await identify(client, index, mine) == rebuilt
    with pytest.raises(LedgerLost):
        await identify(client, InMemoryIndex("another generation"), mine)


async def test_what_the_flow_remembers_outlives_it(tmp_path):
    identity = LedgerIdentity.new(rebuilt_for="encoder@1234")
    assert remembered(tmp_path / "ledger-identity") is None
    remember(tmp_path / "ledger-identity", identity)
    assert remembered(tmp_path / "ledger-identity") == identity
    (tmp_path / "ledger-identity").write_text("{}")
    with pytest.raises(LedgerLost, match=str(tmp_path)):
        remembered(tmp_path / "ledger-identity")


@pytest.mark.parametrize("known_at_start", [True, False])
async def test_reads_and_writes_stop_when_the_ledger_is_lost(client, known_at_start):
    identity = await identify(client, InMemoryIndex())
    guard = IdentityGuard(identity if known_at_start else None)
    ledger = RedisLedger(client, BATCHES, guard=guard)
    await ledger.write(LedgerEntry(key="zari:1", version=1))
    assert (await ledger.read("zari:1")).version == 1

    await client.flushall()
    for call in (ledger.read("zari:1"), ledger.write(LedgerEntry(key="zari:2", version=1))):
        with pytest.raises(LedgerLost, match="looksync jobs rebuild-ledger"):
            await call
    await write_identity(client, LedgerIdentity.new())
    with pytest.raises(LedgerLost):
        await ledger.read("zari:1")


async def test_a_ledger_under_repair_is_nobodys(client):
    ledger = RedisLedger(
        client, BATCHES, guard=IdentityGuard(await identify(client, InMemoryIndex()))
    )
    await forget_identity(client)
    with pytest.raises(LedgerLost):
        await ledger.read("zari:1")


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("renewed", [False, True], ids=["emptied", "emptied and begun anew"])
async def test_wherever_a_loss_falls_in_a_batch_none_of_it_counts(client, place, renewed):
    identity = await identify(client, InMemoryIndex())
    await client.set("a", "1")
    pipeline = RedisPipeline(client, BATCHES, guard=IdentityGuard(identity))
    commands = [lambda batch: batch.get("a")] * 4
    if renewed:
        commands.insert(place, lambda batch: batch.set(KEY, LedgerIdentity.new().encode()))
    commands.insert(place, lambda batch: batch.flushall())
    answers = await asyncio.gather(*map(pipeline.execute, commands), return_exceptions=True)
    assert all(isinstance(answer, LedgerLost) for answer in answers), answers


async def test_a_server_that_comes_back_empty_stops_the_readers(tmp_path):
    """The usual loss: restarted without persistence."""
    server = ensure_server(tmp_path)
    client = open_redis(server.url)
    try:
        ledger = RedisLedger(
            client, BATCHES, guard=IdentityGuard(await identify(client, InMemoryIndex()))
        )
        await ledger.write(LedgerEntry(key="zari:1", version=1))
        stop_left_over(tmp_path)
        for file in tmp_path.glob("appendonlydir/*"):
            file.unlink()
        ensure_server(tmp_path)
        with pytest.raises(LedgerLost):
            await ledger.read("zari:1")
    finally:
        await client.aclose()
        stop_left_over(tmp_path)
