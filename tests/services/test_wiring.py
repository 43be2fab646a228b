"""The composition root: one owner of each client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import RedisError

from dataflows.wiring import clients as wiring
from dataflows.wiring.clients import Clients
from dataflows.wiring.parts import open_look_parts
from operators.stores.redis.cache import RedisCache
from operators.stores.redis.embedded_server import stop_left_over
from operators.stores.weaviate.connection import WeaviateConnection
from schemas.errors import Misconfigured
from schemas.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(
        images={"http_cache": None},
        index={"path": tmp_path / "index.sqlite"},
        redis={"folder": tmp_path / "valkey"},
        thumbnails={"url": str(tmp_path / "thumbnails")},
    )


async def test_each_client_is_opened_once(settings: Settings) -> None:
    async with Clients(settings) as clients:
        assert clients.redis is clients.redis
        assert clients.cache is clients.cache
        assert clients.encoder is clients.encoder
        assert await clients.index() is await clients.index()


async def test_the_connection_to_weaviate_is_shared(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    class Connection:
        async def close(self) -> None:
            opened.append("closed")

    async def open_connection(index: object, meter: object) -> Connection:
        del index, meter
        opened.append("opened")
        return Connection()

    monkeypatch.setattr(WeaviateConnection, "open", open_connection)
    on_weaviate = settings.model_copy(
        update={"index": settings.index.model_copy(update={"kind": "weaviate"})}
    )
    async with Clients(on_weaviate) as clients:
        await clients.aliases()
        await clients.aliases()
        assert opened == ["opened"]
    assert opened == ["opened", "closed"]


async def test_the_look_flow_has_one_cache(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[RedisCache] = []

    class CountedCache(RedisCache):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            opened.append(self)

    monkeypatch.setattr(wiring, "RedisCache", CountedCache)
    async with open_look_parts(settings) as parts:
        assert settings.vlm.cache_seconds, "answers are cached too"
        assert settings.vlm.kind != "none"
        assert opened == [parts.match.cache]


async def test_the_client_is_closed_before_its_server_stops(settings: Settings) -> None:
    async with Clients(settings) as clients:
        redis = clients.redis
        assert await redis.ping()
    assert stop_left_over(settings.redis.folder) is False
    with pytest.raises((RedisError, OSError)):
        await redis.ping()


async def test_a_client_that_cannot_be_opened_leaves_the_others(settings: Settings) -> None:
    async with Clients(settings) as clients:
        with pytest.raises(Misconfigured, match=r"index\.kind"):
            await clients.aliases()
        assert await clients.redis.ping()
