"""A lost index is never mistaken for a new one."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from operators.stores.redis.index_identity import (
    KEY,
    describe_index,
    describe_none,
    require_described,
)
from operators.stores.redis.ledger import RedisLedger
from schemas.catalog import LedgerEntry
from schemas.errors import IndexLost
from schemas.settings import BatchSettings

INDEXED = LedgerEntry(key="zari:1", version=1, indexed=True)
DELETED = LedgerEntry(key="zari:1", version=1, deleted_version=2)


@pytest.fixture
def ledger(client: Redis) -> RedisLedger:
    return RedisLedger(client, BatchSettings(max_size=16, max_wait_ms=1.0))


async def test_a_new_index_of_a_new_ledger_is_accepted(client: Redis, ledger: RedisLedger) -> None:
    await require_described(client, ledger, "encoder@1", 0)
    await describe_index(client, "encoder@1")
    await ledger.write(INDEXED)
    await require_described(client, ledger, "encoder@1", 1)
    assert await client.ttl(KEY) == -1


async def test_an_index_that_an_older_version_made_is_accepted(
    client: Redis, ledger: RedisLedger
) -> None:
    await ledger.write(INDEXED)
    await require_described(client, ledger, "encoder@1", 1)


@pytest.mark.parametrize("described", [True, False])
async def test_an_empty_index_beside_a_full_ledger_is_lost(
    client: Redis, ledger: RedisLedger, described: bool
) -> None:
    await ledger.write(INDEXED)
    if described:
        await describe_index(client, "encoder@1")
    with pytest.raises(IndexLost, match=r"encoder@1.*is empty.*looksync jobs rebuild-index"):
        await require_described(client, ledger, "encoder@1", 0)


async def test_a_missing_index_is_lost(client: Redis, ledger: RedisLedger) -> None:
    await require_described(client, ledger, None, 0)
    await ledger.write(INDEXED)
    with pytest.raises(IndexLost, match="the index is gone") as lost:
        await require_described(client, ledger, None, 0)
    assert lost.value.reason == "index-lost"


async def test_another_index_is_refused_however_full(client: Redis, ledger: RedisLedger) -> None:
    await describe_index(client, "encoder@1")
    await ledger.write(INDEXED)
    with pytest.raises(IndexLost, match=r"encoder@2.*encoder@1"):
        await require_described(client, ledger, "encoder@2", 1)


async def test_while_no_product_is_indexed_nothing_can_be_lost(
    client: Redis, ledger: RedisLedger
) -> None:
    await describe_index(client, "encoder@1")
    await ledger.write(DELETED)
    await require_described(client, ledger, "encoder@2", 0)


async def test_both_indexes_of_a_change_of_the_encoder_are_accepted(
    client: Redis, ledger: RedisLedger
) -> None:
    await ledger.write(INDEXED)
    for generation in ("a@1", "b@1"):
        await describe_index(client, generation)
    for generation in ("a@1", "b@1"):
        await require_described(client, ledger, generation, 1)


async def test_during_a_rebuild_every_index_is_refused(client: Redis, ledger: RedisLedger) -> None:
    await ledger.write(INDEXED)
    await describe_index(client, "encoder@1")
    await describe_none(client)
    with pytest.raises(IndexLost, match="under way or was interrupted"):
        await require_described(client, ledger, "encoder@1", 1)
    await describe_index(client, "encoder@2")
    await require_described(client, ledger, "encoder@2", 1)
    with pytest.raises(IndexLost):
        await require_described(client, ledger, "encoder@1", 1)


@pytest.mark.parametrize("value", ["", "{}", "[]", '{"generations": 1}'])
async def test_a_value_of_another_program_is_refused(
    client: Redis, ledger: RedisLedger, value: str
) -> None:
    await client.set(KEY, value)
    with pytest.raises(IndexLost, match=KEY):
        await require_described(client, ledger, "encoder@1", 1)


async def test_a_key_of_another_type_is_refused(client: Redis, ledger: RedisLedger) -> None:
    await client.lpush(KEY, "x")
    with pytest.raises(IndexLost, match=KEY):
        await require_described(client, ledger, "encoder@1", 1)


async def test_an_unreadable_entry_does_not_mean_a_new_ledger(
    client: Redis, ledger: RedisLedger
) -> None:
    await client.set("looksync:ledger:zari:1", "{")
    with pytest.raises(IndexLost):
        await require_described(client, ledger, "encoder@1", 0)
