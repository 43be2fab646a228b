"""A lost ledger is never mistaken for an empty one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from operators.stores.redis.client import open_redis
from operators.stores.redis.embedded_server import ensure_server, stop_left_over
from operators.stores.redis.ledger import RedisLedger
from operators.stores.redis.ledger_identity import (
    KEY,
    IdentityGuard,
    LedgerIdentity,
    delete_identity,
    identify,
    load_identity,
    save_identity,
    write_identity,
)
from operators.stores.redis.pipeline import RedisPipeline
from schemas.catalog import LedgerEntry
from schemas.errors import LedgerLost
from schemas.settings import BatchSettings
from tests.doubles import InMemoryIndex, unit_vector
from tests.indexed_products import DIMENSION, PLAIN

BATCHES = BatchSettings(max_size=16, max_wait_ms=1.0)


async def stocked_index() -> InMemoryIndex:
    index = InMemoryIndex()
    await index.upsert("zari:1", unit_vector(b"1", DIMENSION), PLAIN)
    return index


async def test_processes_that_start_together_agree_on_one_identity(client: Redis) -> None:
    index = InMemoryIndex()
    found = await asyncio.gather(*(identify(client, index) for _ in range(20)))
    assert len(set(found)) == 1
    assert await identify(client, await stocked_index()) == found[0]
    assert await client.ttl(KEY) == -1


async def test_an_empty_redis_with_a_filled_index_is_a_lost_ledger(client: Redis) -> None:
    with pytest.raises(LedgerLost, match="looksync jobs rebuild-ledger") as lost:
        await identify(client, await stocked_index())
    assert lost.value.reason == "ledger-lost"
    assert await client.get(KEY) is None


async def test_a_flow_that_had_a_ledger_does_not_start_a_new_one(client: Redis) -> None:
    known = await identify(client, InMemoryIndex())
    await client.flushall()
    with pytest.raises(LedgerLost) as lost:
        await identify(client, InMemoryIndex(), known)
    assert lost.value.reason == "ledger-lost"


async def test_the_ledger_of_another_installation_is_rejected(client: Redis) -> None:
    mine = LedgerIdentity.new()
    await write_identity(client, LedgerIdentity.new())
    with pytest.raises(LedgerLost, match=mine.id) as lost:
        await identify(client, await stocked_index(), mine)
    assert lost.value.reason == "ledger-lost"


async def test_a_rebuilt_ledger_is_accepted_for_its_own_index_only(client: Redis) -> None:
    index, mine = await stocked_index(), LedgerIdentity.new()
    rebuilt = LedgerIdentity.new(rebuilt_for=index.generation)
    await write_identity(client, rebuilt)
    assert await identify(client, index, mine) == rebuilt
    with pytest.raises(LedgerLost):
        await identify(client, InMemoryIndex("another generation"), mine)


async def test_a_saved_identity_is_loaded_again(tmp_path: Path) -> None:
    identity = LedgerIdentity.new(rebuilt_for="encoder@1234")
    assert load_identity(tmp_path / "ledger-identity") is None
    save_identity(tmp_path / "ledger-identity", identity)
    assert load_identity(tmp_path / "ledger-identity") == identity
    (tmp_path / "ledger-identity").write_text("{}")
    with pytest.raises(LedgerLost, match=str(tmp_path)) as lost:
        load_identity(tmp_path / "ledger-identity")
    assert lost.value.reason == "ledger-lost"


async def test_an_identity_that_was_never_rebuilt_is_stored_as_its_id_only(client: Redis) -> None:
    identity = LedgerIdentity.new()
    await write_identity(client, identity)
    assert await client.get(KEY) == f'{{"id":"{identity.id}"}}'.encode()


@pytest.mark.parametrize("known_at_start", [True, False])
async def test_reads_and_writes_stop_when_the_ledger_is_lost(
    client: Redis, known_at_start: bool
) -> None:
    identity = await identify(client, InMemoryIndex())
    guard = IdentityGuard(identity if known_at_start else None)
    ledger = RedisLedger(client, BATCHES, guard=guard)
    await ledger.write(LedgerEntry(key="zari:1", version=1))
    assert await ledger.read("zari:1") == LedgerEntry(key="zari:1", version=1)

    await client.flushall()
    with pytest.raises(LedgerLost, match="looksync jobs rebuild-ledger") as lost:
        await ledger.read("zari:1")
    assert lost.value.reason == "ledger-lost"
    with pytest.raises(LedgerLost, match="looksync jobs rebuild-ledger"):
        await ledger.write(LedgerEntry(key="zari:2", version=1))
    await write_identity(client, LedgerIdentity.new())
    with pytest.raises(LedgerLost) as replaced:
        await ledger.read("zari:1")
    assert replaced.value.reason == "ledger-lost"


async def test_a_ledger_under_repair_cannot_be_read(client: Redis) -> None:
    ledger = RedisLedger(
        client, BATCHES, guard=IdentityGuard(await identify(client, InMemoryIndex()))
    )
    await delete_identity(client)
    with pytest.raises(LedgerLost):
        await ledger.read("zari:1")


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("renewed", [False, True], ids=["emptied", "emptied and recreated"])
async def test_a_loss_at_any_place_in_a_batch_fails_the_whole_batch(
    client: Redis, place: int, renewed: bool
) -> None:
    identity = await identify(client, InMemoryIndex())
    await client.set("a", "1")
    pipeline = RedisPipeline(client, BATCHES, guard=IdentityGuard(identity))
    commands: list[Callable[[Pipeline], Any]] = [lambda batch: batch.get("a")] * 4
    if renewed:
        commands.insert(place, lambda batch: batch.set(KEY, LedgerIdentity.new().encode()))
    commands.insert(place, lambda batch: batch.flushall())
    answers = await asyncio.gather(
        *(pipeline.execute(command, kind="write") for command in commands),
        return_exceptions=True,
    )
    assert all(isinstance(answer, LedgerLost) for answer in answers), answers


async def test_a_server_restarted_without_its_data_fails_reads(tmp_path: Path) -> None:
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
