from __future__ import annotations

import pytest
import redis

from operators.stores.redis.client import open_redis
from operators.stores.redis.embedded_server import ensure_server


@pytest.fixture(scope="session")
def shared_valkey(tmp_path_factory):
    server = ensure_server(tmp_path_factory.mktemp("valkey"))
    yield server
    server.stop()


@pytest.fixture
def valkey(shared_valkey):
    """An empty server."""
    with redis.from_url(shared_valkey.url) as client:
        client.flushall()
    return shared_valkey


@pytest.fixture
async def client(valkey):
    opened = open_redis(valkey.url)
    yield opened
    await opened.aclose()
