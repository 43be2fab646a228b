"""The vector store during and after an outage of its server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from operators.stores.weaviate.connection import WeaviateConnection
from operators.stores.weaviate.index import WeaviateIndex
from schemas.errors import Misconfigured, Unavailable
from schemas.settings import IndexSettings
from tests.indexed_products import ALL, PLAIN, vector
from tests.real.own_servers import own_weaviate
from tests.real.real_servers import RealWeaviate
from tests.real.weaviate_indexes import index_settings, opened

pytestmark = pytest.mark.services

SOON = 30.0
"""Seconds; without our timeouts the client would retry for a minute."""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealWeaviate]:
    """A server that only this module uses, and pauses and kills."""
    with own_weaviate(tmp_path_factory.mktemp("weaviate")) as node:
        yield node


@pytest.fixture
def settings(node: RealWeaviate) -> IndexSettings:
    return index_settings(node, read_seconds=1.0, write_seconds=2.0)


async def assert_every_call_is_unavailable(index: WeaviateIndex) -> None:
    for call in (
        lambda: index.upsert("zari:1", vector(1), PLAIN),
        lambda: index.patch("zari:1", PLAIN),
        lambda: index.delete("zari:9"),
        lambda: index.search(vector(1), ALL, 5),
        lambda: index.get("zari:1"),
        index.count,
    ):
        async with asyncio.timeout(SOON):
            with pytest.raises(Unavailable):
                await call()


async def wait_until_available(index: WeaviateIndex) -> None:
    """Retry, as the flows do."""
    end = time.monotonic() + SOON
    while True:
        try:
            await index.count()
            return
        except Unavailable:
            assert time.monotonic() < end
            await asyncio.sleep(0.1)


async def test_a_hanging_server_is_unavailable_until_it_resumes(
    node: RealWeaviate, settings: IndexSettings
) -> None:
    async with opened(settings) as index:
        await index.upsert("zari:1", vector(1), PLAIN)
        node.ours.pause()
        try:
            await assert_every_call_is_unavailable(index)
        finally:
            node.ours.resume()
        await wait_until_available(index)
        await index.upsert("zari:2", vector(2), PLAIN)
        assert {key async for key, _ in index.scan()} == {"zari:1", "zari:2"}


async def test_acknowledged_writes_survive_a_crash_of_the_server(
    node: RealWeaviate, settings: IndexSettings
) -> None:
    """Killed during writes: each is either acknowledged and stored, or Unavailable."""
    async with opened(settings) as index:
        acknowledged: set[int] = set()

        async def write(number: int) -> None:
            await index.upsert(f"zari:{number}", vector(number), PLAIN)
            acknowledged.add(number)
            if len(acknowledged) == 100:
                node.ours.kill()

        results = await asyncio.gather(
            *(write(number) for number in range(400)), return_exceptions=True
        )
        assert {type(result) for result in results} == {type(None), Unavailable}
        await assert_every_call_is_unavailable(index)

        await asyncio.to_thread(node.ours.start)
        await wait_until_available(index)
        present = {key async for key, _ in index.scan()}
        assert present >= {f"zari:{number}" for number in acknowledged}
        for number in list(acknowledged)[:20]:
            (found,) = await index.search(vector(number), ALL, 1)
            assert found.key == f"zari:{number}"

        await asyncio.gather(
            *(index.upsert(f"zari:{number}", vector(number), PLAIN) for number in range(400))
        )
        assert await index.count() == 400


async def test_a_server_that_is_down_at_the_start_is_unavailable(
    node: RealWeaviate, settings: IndexSettings
) -> None:
    node.ours.kill()
    try:
        async with asyncio.timeout(SOON):
            with pytest.raises(Unavailable, match=settings.url):
                await WeaviateConnection.open(settings)
    finally:
        await asyncio.to_thread(node.ours.start)


async def test_a_server_with_api_keys_accepts_only_the_right_one(
    node: RealWeaviate, settings: IndexSettings, tmp_path: Path
) -> None:
    keyed = {
        "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "false",
        "AUTHENTICATION_APIKEY_ENABLED": "true",
        "AUTHENTICATION_APIKEY_ALLOWED_KEYS": "open-sesame",
        "AUTHENTICATION_APIKEY_USERS": "looksync",
    }
    before = node.ours.env
    node.ours.stop()
    node.ours.env = {**before, **keyed}
    await asyncio.to_thread(node.ours.start)
    try:
        for key in (None, "wrong"):
            with pytest.raises(Misconfigured, match=r"index\.api_key"):
                async with opened(
                    settings.model_validate({**settings.model_dump(), "api_key": key})
                ):
                    pass
        right = settings.model_validate({**settings.model_dump(), "api_key": "open-sesame"})
        async with opened(right) as index:
            await index.upsert("zari:1", vector(1), PLAIN)
            assert [c.key for c in await index.search(vector(1), ALL, 1)] == ["zari:1"]
    finally:
        node.ours.stop()
        node.ours.env = before
        await asyncio.to_thread(node.ours.start)
