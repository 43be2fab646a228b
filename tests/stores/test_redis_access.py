"""Addresses, credentials and certificates of a Redis server."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis
from redis.asyncio import Redis

from operators.stores.redis.cache import RedisCache
from operators.stores.redis.client import open_redis
from operators.stores.redis.embedded_server import ensure_server
from operators.stores.redis.ledger import RedisLedger
from schemas.errors import Misconfigured, Unavailable
from schemas.settings import BatchSettings, RedisSettings

BATCHES = BatchSettings(max_size=64, max_wait_ms=1.0)


async def test_an_address_without_a_server_is_unavailable(tmp_path: Path) -> None:
    client = open_redis(f"unix://{tmp_path}/missing.sock")
    with pytest.raises(Unavailable, match=r"redis\.url"):
        await RedisLedger(client, BATCHES).read("a")
    with pytest.raises(Unavailable, match=r"redis\.url"):
        await RedisCache(client, BATCHES).get("a")
    await client.aclose()


async def test_a_wrong_password_is_misconfigured(tmp_path: Path) -> None:
    server = ensure_server(tmp_path)
    with redis.from_url(server.url) as admin:
        admin.config_set("requirepass", "right")
    client = open_redis(f"{server.url}?password=wrong")
    try:
        with pytest.raises(Misconfigured, match=r"redis\.url") as rejected:
            await RedisLedger(client, BATCHES).read("a")
        assert "password=wrong" not in str(rejected.value)
        assert rejected.value.reason == "redis-refused"
    finally:
        await client.aclose()
        server.stop()


async def test_a_missing_permission_is_misconfigured(client: Redis, tmp_path: Path) -> None:
    await client.acl_setuser(
        "reader", enabled=True, passwords=["+secret"], categories=["-@all"], keys=["*"]
    )
    path = client.connection_pool.connection_kwargs["path"]
    restricted = open_redis(f"unix://reader:secret@{path}")
    try:
        with pytest.raises(Misconfigured, match=r"ACL rule in docs/redis\.md"):
            await RedisLedger(restricted, BATCHES).read("a")
    finally:
        await restricted.aclose()
        await client.acl_deluser("reader")


@pytest.mark.parametrize(
    "url",
    [
        "redis://user:s3cret@host:6379/0",
        "rediss://:s3cret@host/1",
        "unix:///run/valkey.sock?db=1&password=s3cret",
    ],
)
def test_the_password_in_an_address_is_never_shown(url: str) -> None:
    settings = RedisSettings.model_validate({"url": url, "password": "s3cret"})
    assert settings.url == url
    assert "s3cret" not in settings.shown_url
    assert "s3cret" not in settings.model_dump_json()
    assert "***" in settings.shown_url


def test_certificates_need_tls_and_an_existing_file(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    plain = RedisSettings(url="redis://host", ca_file=tmp_path / "ca.pem")
    with pytest.raises(Misconfigured, match="rediss://"):
        open_redis(plain.url, plain)
    missing = RedisSettings(url="rediss://host", client_key=tmp_path / "missing.pem")
    with pytest.raises(Misconfigured, match=r"redis\.client_key.*missing\.pem"):
        open_redis(missing.url, missing)


@pytest.mark.parametrize("url", ["", "localhost:6379", "http://localhost", "redis://host:port/0"])
def test_an_invalid_address_is_misconfigured(url: str) -> None:
    with pytest.raises(Misconfigured, match=r"redis\.url"):
        open_redis(url)
