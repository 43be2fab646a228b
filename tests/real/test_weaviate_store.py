from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from indexed_products import ALL, DIMENSION, FINGERPRINT, PLAIN, vector
from vector_store_contract import VectorStoreContract
from weaviate_indexes import index_settings

from operators.ports import Filters
from operators.stores.probes import probe_index
from operators.stores.weaviate.aliases import target_of
from operators.stores.weaviate.connection import WeaviateConnection
from operators.stores.weaviate.index import WeaviateIndex
from schemas.errors import IndexMismatch, Misconfigured, Unavailable

pytestmark = [pytest.mark.services, pytest.mark.timeout(180)]


@pytest.fixture
def settings(weaviate):
    return index_settings(weaviate)


@pytest.fixture
async def open_store(settings):
    opened = []

    async def open_store(fingerprint=FINGERPRINT, dimension=DIMENSION, model="any", observe=None):
        opened.append(
            await WeaviateIndex.open(
                settings, fingerprint=fingerprint, dimension=dimension, model="any", observe=observe
            )
        )
        return opened[-1]

    yield open_store
    for index in opened:
        await index.close()


@pytest.fixture
async def server(settings):
    """A connection beside the store's, to look and to meddle."""
    connection = await WeaviateConnection.open(settings)
    yield connection
    await connection.close()


async def collection_in_force(server, settings):
    return server.client.collections.use(await target_of(server, settings.alias))


class TestWeaviateIndex(VectorStoreContract):
    pass


async def test_an_index_of_another_encoder_is_not_opened_nor_changed(open_store):
    index = await open_store()
    await index.upsert("zari:1", vector(1), PLAIN)
    for other in ({"fingerprint": "encoder-b"}, {"dimension": DIMENSION * 2}):
        with pytest.raises(IndexMismatch) as mismatch:
            await open_store(**other)
        assert FINGERPRINT in str(mismatch.value)
        assert "looksync jobs reembed" in str(mismatch.value)  # says what to do
    assert await index.count() == 1


async def test_processes_that_come_at_once_share_one_index(open_store):
    opened = await asyncio.gather(*(open_store() for _ in range(6)))
    assert len({index.generation for index in opened}) == 1
    await opened[0].upsert("zari:1", vector(1), PLAIN)
    assert await opened[5].count() == 1


async def test_an_alias_on_a_strangers_collection_is_refused(open_store, server, settings):
    await server.client.collections.create(f"{settings.alias}_strange")
    await server.client.alias.create(
        alias_name=settings.alias, target_collection=f"{settings.alias}_strange"
    )
    with pytest.raises(Misconfigured, match=r"index\.alias"):
        await open_store()


async def test_a_text_that_cannot_be_stored_fails_alone(open_store):
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
async def test_an_object_that_the_server_refuses_fails_alone(open_store, bad):
    index = await open_store()
    beyond = replace(PLAIN, price_bucket=10**30)
    results = await asyncio.gather(
        *(index.upsert(f"zari:{n}", vector(n), beyond if n in bad else PLAIN) for n in range(4)),
        return_exceptions=True,
    )
    assert {n for n, result in enumerate(results) if isinstance(result, ValueError)} == bad
    assert "price_bucket" in str(results[1])
    assert {key async for key, _ in index.scan()} == {f"zari:{n}" for n in range(4) if n not in bad}


async def test_concurrent_writes_share_batches(open_store):
    sizes = []
    index = await open_store(observe=lambda size, _: sizes.append(size))
    await asyncio.gather(*(index.upsert(f"zari:{n}", vector(n), PLAIN) for n in range(64)))
    assert sizes == [32, 32]


async def test_writes_of_one_key_in_one_batch_keep_their_order(open_store):
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


async def test_equals_are_ordered_by_key_though_there_are_more_than_asked_for(open_store):
    index = await open_store()
    keys = [f"zari:{number:03}" for number in range(90)]
    await asyncio.gather(*(index.upsert(key, vector(1), PLAIN) for key in reversed(keys)))
    assert [c.key for c in await index.search(vector(1), Filters(), 5)] == keys[:5]


async def test_read_only_is_waited_for_and_nothing_is_lost(open_store, server, settings):
    index = await open_store()
    await index.upsert("zari:1", vector(1), PLAIN)
    held = await collection_in_force(server, settings)
    await held.config.update_shards("READONLY")
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
    await held.config.update_shards("READY")
    assert await index.patch("zari:1", replace(PLAIN, brand="other"))
    await index.upsert("zari:2", vector(2), PLAIN)
    assert {key: a.brand async for key, a in index.scan()} == {"zari:1": "other", "zari:2": "zari"}


async def test_a_collection_that_is_gone_is_told(open_store, server, settings):
    index = await open_store()
    held = await collection_in_force(server, settings)
    await server.client.collections.delete(held.name)
    with pytest.raises(Unavailable, match=held.name):
        await index.search(vector(1), ALL, 5)
    with pytest.raises(Unavailable, match=held.name):
        await index.upsert("zari:1", vector(1), PLAIN)


@pytest.mark.parametrize(("setting", "quantised"), [("rq8", True), ("none", False)])
async def test_quantisation_is_a_setting_of_the_new_collection(weaviate, setting, quantised):
    settings = index_settings(weaviate, quantisation=setting)
    index = await WeaviateIndex.open(
        settings, fingerprint=FINGERPRINT, dimension=DIMENSION, model="any"
    )
    server = await WeaviateConnection.open(settings)
    config = await (await collection_in_force(server, settings)).config.get()
    await server.close()
    await index.close()
    graph = config.vector_config["default"].vector_index_config
    assert (graph.quantizer is not None) is quantised
    assert (graph.max_connections, graph.ef_construction, graph.ef) == (32, 256, 128)
    assert graph.filter_strategy == "acorn"


async def test_more_replicas_than_nodes_are_refused(weaviate):
    settings = index_settings(weaviate, replicas=3)
    with pytest.raises(Misconfigured, match="replica"):
        await WeaviateIndex.open(
            settings, fingerprint=FINGERPRINT, dimension=DIMENSION, model="any"
        )


async def test_a_wrong_grpc_port_is_found_when_the_index_is_opened(weaviate, unused_tcp_port):
    settings = index_settings(weaviate, read_seconds=2.0).model_copy(
        update={"grpc_port": unused_tcp_port}
    )
    with pytest.raises(Unavailable):
        await WeaviateIndex.open(
            settings, fingerprint=FINGERPRINT, dimension=DIMENSION, model="any"
        )


async def test_the_probe_says_what_the_alias_leads_to(open_store, settings):
    assert "not there yet" in await probe_index(settings)
    index = await open_store()
    await index.upsert("zari:1", vector(1), PLAIN)
    found = await probe_index(settings)
    assert FINGERPRINT in found
    assert "1 objects" in found
