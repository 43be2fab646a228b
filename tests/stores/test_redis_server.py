"""Which Redis servers the flows refuse, and which the doctor warns about."""

from __future__ import annotations

from dataclasses import replace

import pytest
from redis.asyncio import Redis

from operators.stores.redis.client import open_redis
from operators.stores.redis.server import (
    GIB,
    RedisServer,
    inspect_server,
    refuse_unfit,
    refuse_unsafe,
)
from schemas.errors import Misconfigured

SAFE = RedisServer(
    version="7.2.4",
    cluster=False,
    role="master",
    replicas=0,
    memory_used=GIB,
    memory_limit=0,
    eviction="noeviction",
    append_only=True,
    fsync="everysec",
    snapshots="",
    failed_writes=None,
)
LIMITED = replace(SAFE, memory_limit=10 * GIB)


@pytest.mark.parametrize(
    "server",
    [
        SAFE,
        LIMITED,
        replace(SAFE, version="10.0.0"),
        replace(SAFE, fsync="always"),
        replace(SAFE, fsync=None),
        replace(LIMITED, eviction="volatile-ttl"),
        replace(LIMITED, memory_used=9 * GIB),
        replace(SAFE, eviction="allkeys-lru"),  # without a limit nothing is evicted
        replace(SAFE, eviction="volatile-lru"),
        replace(SAFE, append_only=False, replicas=1, fsync="no"),
    ],
)
def test_a_safe_server_is_accepted(server: RedisServer) -> None:
    refuse_unsafe(server)
    refuse_unfit(server)


@pytest.mark.parametrize(
    ("server", "problem"),
    [
        (replace(SAFE, cluster=True), "Redis Cluster is not supported"),
        (replace(SAFE, role="slave"), "replica"),
        (replace(SAFE, version="6.2.14"), "version 6.2.14 is too old"),
        (replace(LIMITED, eviction="allkeys-lru"), "evicts ledger entries"),
        (replace(LIMITED, eviction="allkeys-random"), "evicts ledger entries"),
    ],
)
def test_a_server_that_would_cause_wrong_decisions_is_refused(
    server: RedisServer, problem: str
) -> None:
    with pytest.raises(Misconfigured, match=problem) as refused:
        refuse_unsafe(server)
    assert refused.value.reason == "redis-unsafe"
    with pytest.raises(Misconfigured, match=problem):
        refuse_unfit(server)


@pytest.mark.parametrize(
    ("server", "problem"),
    [
        (replace(LIMITED, eviction="volatile-lru"), "may evict claims"),
        (replace(LIMITED, eviction="volatile-lfu"), "may evict claims"),
        (replace(LIMITED, eviction="volatile-random"), "may evict claims"),
        (replace(LIMITED, eviction="volatile-of-a-later-version"), "may evict claims"),
        (replace(LIMITED, memory_used=9 * GIB + 1), "9.00 of 10.00 GiB are used"),
        (replace(SAFE, append_only=False), "after a restart it is empty"),
        (replace(SAFE, append_only=False, snapshots="3600 1"), "as old as its last snapshot"),
        (replace(SAFE, append_only=False, snapshots=None), "as old as its last snapshot"),
        (replace(SAFE, fsync="no"), "appendfsync no"),
        (replace(SAFE, failed_writes="aof_last_write_status"), "aof_last_write_status"),
    ],
)
def test_a_server_with_a_risk_is_reported_by_the_doctor_only(
    server: RedisServer, problem: str
) -> None:
    refuse_unsafe(server)
    with pytest.raises(Misconfigured, match=problem) as refused:
        refuse_unfit(server)
    assert refused.value.reason == "redis-unfit"


def test_every_problem_is_reported() -> None:
    server = replace(SAFE, role="slave", version="6.0.0", fsync="no")
    with pytest.raises(Misconfigured, match=r"replica.*; version 6.*; with appendfsync no"):
        refuse_unfit(server)


@pytest.mark.parametrize(
    ("server", "description"),
    [
        (
            SAFE,
            "version 7.2.4, 1.00 GiB of no limit, noeviction, append-only file, fsync everysec",
        ),
        (
            replace(LIMITED, append_only=False, replicas=2),
            "version 7.2.4, 1.00 GiB of 10.0 GiB, noeviction, no append-only file, 2 replicas",
        ),
        (
            replace(SAFE, fsync=None),
            "version 7.2.4, 1.00 GiB of no limit, noeviction, append-only file, fsync unknown",
        ),
    ],
)
def test_the_description_has_what_matters_to_a_ledger(
    server: RedisServer, description: str
) -> None:
    assert server.description == description


async def test_inspection_reads_the_servers_settings(client: Redis) -> None:
    await client.config_set("maxmemory", 2 * GIB)
    await client.config_set("maxmemory-policy", "volatile-lru")
    try:
        server = await inspect_server(client)
    finally:
        await client.config_set("maxmemory", 0)
        await client.config_set("maxmemory-policy", "noeviction")
    assert int(server.version.partition(".")[0]) >= 7
    assert 0 < server.memory_used < GIB
    assert replace(server, version=SAFE.version, memory_used=GIB) == replace(
        SAFE, memory_limit=2 * GIB, eviction="volatile-lru"
    )


async def test_inspection_works_without_permission_for_config(client: Redis) -> None:
    await client.acl_setuser(
        "reader", enabled=True, passwords=["+secret"], commands=["+info", "+auth", "+hello"]
    )
    path = client.connection_pool.connection_kwargs["path"]
    restricted = open_redis(f"unix://reader:secret@{path}")
    try:
        server = await inspect_server(restricted)
    finally:
        await restricted.aclose()
        await client.acl_deluser("reader")
    assert (server.fsync, server.snapshots) == (None, None)
    assert server.append_only
