"""What the vector store says while its server is away, and after."""

from __future__ import annotations

import asyncio
import time

import pytest
from conftest import own_weaviate
from indexed_products import ALL, DIMENSION, FINGERPRINT, PLAIN, vector
from weaviate_indexes import index_settings, opened

from operators.stores.weaviate.index import WeaviateIndex
from schemas.errors import Misconfigured, Unavailable

pytestmark = [pytest.mark.services, pytest.mark.timeout(240)]

SOON = 30.0
"""Seconds; the client by itself goes on trying for a minute."""


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """A server of this module's own, to be paused and killed."""
    with own_weaviate(tmp_path_factory.mktemp("weaviate")) as node:
        yield node


@pytest.fixture
def settings(node):
    return index_settings(node, read_seconds=1.0, write_seconds=2.0)


async def every_call_is_unavailable(index: WeaviateIndex) -> None:
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


async def until_it_answers(index: WeaviateIndex) -> None:
    """As a lane does it: again and again."""
    end = time.monotonic() + SOON
    while True:
        try:
            await index.count()
            return
        except Unavailable:
            assert time.monotonic() < end
            await asyncio.sleep(0.1)


async def test_a_server_that_hangs_is_unavailable_until_it_goes_on(node, settings):
    async with opened(settings) as index:
        await index.upsert("zari:1", vector(1), PLAIN)
        node.ours.pause()
        try:
            await every_call_is_unavailable(index)
        finally:
            node.ours.resume()
        await until_it_answers(index)
        await index.upsert("zari:2", vector(2), PLAIN)
        assert {key async for key, _ in index.scan()} == {"zari:1", "zari:2"}


async def test_what_was_acknowledged_outlives_a_crash_of_the_server(node, settings):
    """Killed in the middle of writes: each is acknowledged and there, or Unavailable."""
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
        await every_call_is_unavailable(index)

        await asyncio.to_thread(node.ours.start)
        await until_it_answers(index)
        present = {key async for key, _ in index.scan()}
        assert present >= {f"zari:{number}" for number in acknowledged}
        for number in list(acknowledged)[:20]:
            (found,) = await index.search(vector(number), ALL, 1)
            assert found.key == f"zari:{number}"

        await asyncio.gather(
            *(index.upsert(f"zari:{number}", vector(number), PLAIN) for number in range(400))
        )
        assert await index.count() == 400


async def test_a_server_that_is_away_at_the_start_is_unavailable(node, settings):
    node.ours.kill()
    try:
        async with asyncio.timeout(SOON):
            with pytest.raises(Unavailable, match=settings.url):
                await WeaviateIndex.open(
                    settings, fingerprint=FINGERPRINT, dimension=DIMENSION, model="any"
                )
    finally:
        await asyncio.to_thread(node.ours.start)


async def test_a_server_with_keys_refuses_without_and_serves_with_the_right_one(
    node, settings, tmp_path
):
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
                await WeaviateIndex.open(
                    settings.model_validate({**settings.model_dump(), "api_key": key}),
                    fingerprint=FINGERPRINT,
                    dimension=DIMENSION,
                    model="any",
                )
        right = settings.model_validate({**settings.model_dump(), "api_key": "open-sesame"})
        async with opened(right) as index:
            await index.upsert("zari:1", vector(1), PLAIN)
            assert [c.key for c in await index.search(vector(1), ALL, 1)] == ["zari:1"]
    finally:
        node.ours.stop()
        node.ours.env = before
        await asyncio.to_thread(node.ours.start)
