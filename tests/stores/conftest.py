from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import redis
from redis.asyncio import Redis

from operators.stores.redis.client import open_redis
from operators.stores.redis.embedded_server import ValkeyServer, ensure_server


@pytest.fixture(scope="session")
def shared_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    server = ensure_server(tmp_path_factory.mktemp("valkey"))
    yield server
    server.stop()


@pytest.fixture
def valkey(shared_valkey: ValkeyServer) -> ValkeyServer:
    """An empty server."""
    with redis.from_url(shared_valkey.url) as client:
        client.flushall()
    return shared_valkey


@pytest.fixture
async def client(valkey: ValkeyServer) -> AsyncIterator[Redis]:
    opened = open_redis(valkey.url)
    yield opened
    await opened.aclose()
