from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import pytest
from weaviate.collections import CollectionAsync

from operators.ports import Filters
from operators.stores.weaviate.aliases import target_of
from operators.stores.weaviate.connection import WeaviateConnection
from operators.stores.weaviate.index import WeaviateIndex
from schemas.errors import IndexMismatch, Misconfigured, Unavailable
from schemas.settings import IndexSettings
from tests.indexed_products import ALL, DIMENSION, FINGERPRINT, PLAIN, vector
from tests.real.real_servers import RealWeaviate
from tests.real.weaviate_indexes import index_settings, opened
from tests.stores.probing import probe_index
from tests.vector_store_contract import VectorStoreContract

pytestmark = pytest.mark.services


class OpenIndex(Protocol):
    async def __call__(
        self,
        *,
        fingerprint: str = ...,
        dimension: int = ...,
        observe: Callable[[int, float], None] | None = ...,
    ) -> WeaviateIndex: ...


@pytest.fixture
def settings(weaviate: RealWeaviate) -> IndexSettings:
    return index_settings(weaviate)


@pytest.fixture
async def open_store(
    server: WeaviateConnection, settings: IndexSettings
) -> AsyncIterator[OpenIndex]:
    opened: list[WeaviateIndex] = []

    async def open_store(
        *,
        fingerprint: str = FINGERPRINT,
        dimension: int = DIMENSION,
        observe: Callable[[int, float], None] | None = None,
    ) -> WeaviateIndex:
        opened.append(
            await WeaviateIndex.open(
                server,
                settings,
                fingerprint=fingerprint,
                dimension=dimension,
                model="any",
                observe=observe,
            )
        )
        return opened[-1]

    yield open_store
    for index in opened:
        await index.close()


@pytest.fixture
async def server(settings: IndexSettings) -> AsyncIterator[WeaviateConnection]:
    """The store's connection, also used to inspect and change what it holds."""
    connection = await WeaviateConnection.open(settings)
    yield connection
    await connection.close()


async def active_collection(
    server: WeaviateConnection, settings: IndexSettings
) -> CollectionAsync[Any, Any]:
    name = await target_of(server, settings.alias)
    assert name is not None
    return server.client.collections.use(name)


class TestWeaviateIndex(VectorStoreContract):
    pass


async def test_the_index_of_another_encoder_is_rejected_and_unchanged(
    open_store: OpenIndex,
) -> None:
    index = await open_store()
    await index.upsert("zari:1", vector(1), PLAIN)
    with pytest.raises(IndexMismatch, match=rf"{FINGERPRINT}.*looksync jobs reembed"):
        await open_store(fingerprint="encoder-b")
    with pytest.raises(IndexMismatch, match=rf"{FINGERPRINT}.*looksync jobs reembed"):
        await open_store(dimension=DIMENSION * 2)
    assert await index.count() == 1


async def test_concurrent_processes_create_one_index(open_store: OpenIndex) -> None:
    opened = await asyncio.gather(*(open_store() for _ in range(6)))
    assert len({index.generation for index in opened}) == 1
    await opened[0].upsert("zari:1", vector(1), PLAIN)
    assert await opened[5].count() == 1


async def test_an_alias_of_a_foreign_collection_is_rejected(
    open_store: OpenIndex, server: WeaviateConnection, settings: IndexSettings
) -> None:
    await server.client.collections.create(f"{settings.alias}_foreign")
    await server.client.alias.create(
        alias_name=settings.alias, target_collection=f"{settings.alias}_foreign"
    )
    with pytest.raises(Misconfigured, match=r"index\.alias"):
        await open_store()


async def test_an_unencodable_text_fails_only_its_own_write(open_store: OpenIndex) -> None:
    index = await open_store()
    results = await asyncio.gather(
        index.upsert("zari:1", vector(1), PLAIN),
        index.upsert("zari:2", vector(2), replace(PLAIN, brand="\ud800")),  # no UTF-8
        return_exceptions=True,
    )
    assert results[0] is None
    assert isinstance(results[1], UnicodeEncodeError)
    assert [key async for key, _ in index.scan()] == ["zari:1"]


@pytest.mark.parametrize("bad", [{1}, {0, 1, 2, 3}], ids=["one", "all"])
async def test_an_object_that_the_server_rejects_fails_alone(
    open_store: OpenIndex, bad: set[int]
) -> None:
    index = await open_store()
    beyond = replace(PLAIN, price_bucket=10**30)
    results = await asyncio.gather(
        *(index.upsert(f"zari:{n}", vector(n), beyond if n in bad else PLAIN) for n in range(4)),
        return_exceptions=True,
    )
    assert {n for n, result in enumerate(results) if isinstance(result, ValueError)} == bad
    assert "price_bucket" in str(results[1])
    assert {key async for key, _ in index.scan()} == {f"zari:{n}" for n in range(4) if n not in bad}


async def test_concurrent_writes_share_batches(open_store: OpenIndex) -> None:
    sizes: list[int] = []
    index = await open_store(observe=lambda size, _: sizes.append(size))
    await asyncio.gather(*(index.upsert(f"zari:{n}", vector(n), PLAIN) for n in range(64)))
    assert sizes == [32, 32]


async def test_writes_of_one_key_in_one_batch_keep_their_order(open_store: OpenIndex) -> None:
    index = await open_store()
    await index.upsert("zari:2", vector(2), PLAIN)
    results = await asyncio.gather(
        index.upsert("zari:1", vector("old"), PLAIN),
        index.patch("zari:1", replace(PLAIN, brand="patched")),
        index.delete("zari:2"),
        index.delete("zari:1"),
        index.patch("zari:1", PLAIN),
        index.upsert("zari:1", vector("new"), PLAIN),
        index.patch("zari:1", replace(PLAIN, brand="last")),
        index.patch("zari:2", PLAIN),
    )
    assert results == [None, True, None, None, False, None, True, False]
    (found,) = await index.search(vector("new"), ALL, 5)
    assert (found.key, found.attributes.brand) == ("zari:1", "last")
    np.testing.assert_allclose(found.vector, vector("new"), atol=1e-6)


async def test_ties_beyond_the_limit_are_ordered_by_key(open_store: OpenIndex) -> None:
    index = await open_store()
    keys = [f"zari:{number:03}" for number in range(90)]
    await asyncio.gather(*(index.upsert(key, vector(1), PLAIN) for key in reversed(keys)))
    assert [c.key for c in await index.search(vector(1), Filters(), 5)] == keys[:5]


async def test_a_read_only_collection_is_unavailable_and_loses_nothing(
    open_store: OpenIndex, server: WeaviateConnection, settings: IndexSettings
) -> None:
    index = await open_store()
    await index.upsert("zari:1", vector(1), PLAIN)
    collection = await active_collection(server, settings)
    await collection.config.update_shards("READONLY")
    for write in (
        lambda: index.upsert("zari:2", vector(2), PLAIN),
        lambda: index.patch("zari:1", replace(PLAIN, brand="other")),
        lambda: index.delete("zari:1"),
    ):
        with pytest.raises(Unavailable):
            await write()
    with pytest.raises(Unavailable, match="read-only"):
        await probe_index(settings)
    assert [c.key for c in await index.search(vector(1), ALL, 5)] == ["zari:1"]
    await collection.config.update_shards("READY")
    assert await index.patch("zari:1", replace(PLAIN, brand="other"))
    await index.upsert("zari:2", vector(2), PLAIN)
    assert {key: a.brand async for key, a in index.scan()} == {"zari:1": "other", "zari:2": "zari"}


async def test_a_deleted_collection_is_reported_by_name(
    open_store: OpenIndex, server: WeaviateConnection, settings: IndexSettings
) -> None:
    index = await open_store()
    collection = await active_collection(server, settings)
    await server.client.collections.delete(collection.name)
    with pytest.raises(Unavailable, match=collection.name):
        await index.search(vector(1), ALL, 5)
    with pytest.raises(Unavailable, match=collection.name):
        await index.upsert("zari:1", vector(1), PLAIN)


@pytest.mark.parametrize(("setting", "quantised"), [("rq8", True), ("none", False)])
async def test_quantisation_is_a_setting_of_the_new_collection(
    weaviate: RealWeaviate, setting: str, quantised: bool
) -> None:
    settings = index_settings(weaviate, quantisation=setting)
    async with opened(settings):
        server = await WeaviateConnection.open(settings)
        config = await (await active_collection(server, settings)).config.get()
        await server.close()
    assert config.vector_config is not None
    graph: Any = config.vector_config["default"].vector_index_config
    assert (graph.quantizer is not None) is quantised
    assert (graph.max_connections, graph.ef_construction, graph.ef) == (32, 256, 128)
    assert graph.filter_strategy == "acorn"


async def test_more_replicas_than_nodes_are_rejected(weaviate: RealWeaviate) -> None:
    settings = index_settings(weaviate, replicas=3)
    with pytest.raises(Misconfigured, match="replica"):
        async with opened(settings):
            pass


async def test_a_wrong_grpc_port_is_detected_on_opening(
    weaviate: RealWeaviate, unused_tcp_port: int
) -> None:
    settings = index_settings(weaviate, read_seconds=2.0).model_copy(
        update={"grpc_port": unused_tcp_port}
    )
    with pytest.raises(Unavailable):
        async with opened(settings):
            pass


async def test_the_probe_reports_the_target_of_the_alias(
    open_store: OpenIndex, settings: IndexSettings
) -> None:
    assert "does not exist yet" in await probe_index(settings)
    index = await open_store()
    await index.upsert("zari:1", vector(1), PLAIN)
    found = await probe_index(settings)
    assert FINGERPRINT in found
    assert "1 objects" in found
