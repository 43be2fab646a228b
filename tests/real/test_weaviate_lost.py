"""An index in Weaviate that is lost while it is in use, or before."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from operators.stores.weaviate import presence
from operators.stores.weaviate.aliases import Aliases, forget_lost_targets, target_of
from operators.stores.weaviate.connection import WeaviateConnection
from operators.stores.weaviate.index import WeaviateIndex
from operators.stores.weaviate.schema import collection_name
from schemas.errors import IndexLost
from schemas.settings import IndexSettings
from tests.index_loss_contract import LoseStore, LossContract
from tests.indexed_products import DIMENSION, FINGERPRINT
from tests.real.real_servers import RealWeaviate
from tests.real.weaviate_indexes import index_settings
from tests.vector_store_contract import OpenStore

pytestmark = [pytest.mark.services, pytest.mark.timeout(180)]


@pytest.fixture
def settings(weaviate: RealWeaviate) -> IndexSettings:
    return index_settings(weaviate)


@pytest.fixture
async def server(settings: IndexSettings) -> AsyncIterator[WeaviateConnection]:
    """The store's connection, also used to remove what it holds."""
    connection = await WeaviateConnection.open(settings)
    yield connection
    await connection.close()


@pytest.fixture
async def open_store(
    server: WeaviateConnection, settings: IndexSettings
) -> AsyncIterator[OpenStore]:
    opened: list[WeaviateIndex] = []

    async def open_store() -> WeaviateIndex:
        opened.append(
            await WeaviateIndex.open(
                server, settings, fingerprint=FINGERPRINT, dimension=DIMENSION, model="any"
            )
        )
        return opened[-1]

    yield open_store
    for index in opened:
        await index.close()


class TestLostWeaviateIndex(LossContract):
    @pytest.fixture
    def lose_store(
        self,
        server: WeaviateConnection,
        settings: IndexSettings,
        monkeypatch: pytest.MonkeyPatch,
    ) -> LoseStore:
        async def lose_store() -> None:
            name = await target_of(server, settings.alias)
            assert name is not None
            await server.client.alias.delete(alias_name=settings.alias)
            await server.client.collections.delete(name)

        # The next use checks, rather than one some seconds later.
        monkeypatch.setattr(presence, "CHECK_SECONDS", 0.0)
        return lose_store


async def test_a_lost_collection_is_created_anew_when_it_is_restored(
    open_store: OpenStore, server: WeaviateConnection, settings: IndexSettings
) -> None:
    await open_store()
    name = await target_of(server, settings.alias)
    assert name is not None
    await server.client.collections.delete(name)
    if await target_of(server, settings.alias) is not None:
        with pytest.raises(IndexLost, match="looksync jobs rebuild-index"):
            await open_store()
    await forget_lost_targets(server, settings.alias)
    assert await (await open_store()).count() == 0


async def test_an_error_or_an_empty_answer_is_looked_into(
    open_store: OpenStore, server: WeaviateConnection, settings: IndexSettings
) -> None:
    """Without waiting for the next regular check."""
    now = 0.0
    await open_store()
    pair = await Aliases(server, settings).pair()
    watched = presence.Presence(server, pair.active, settings.alias, clock=lambda: now)
    await server.client.collections.delete(collection_name(settings.alias, FINGERPRINT))
    now = 0.6
    await watched.require()
    with pytest.raises(IndexLost, match="was deleted while it was in use"):
        await watched.require(suspicious=True)
    with pytest.raises(IndexLost):
        await watched.require()
