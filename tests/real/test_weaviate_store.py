from __future__ import annotations

import uuid

import pytest
from indexed_products import DIMENSION, FINGERPRINT
from vector_store_contract import VectorStoreContract

from operators.stores.weaviate_index import WeaviateIndex
from schemas.settings import BatchSettings, IndexSettings

pytestmark = [pytest.mark.services, pytest.mark.timeout(180)]


@pytest.fixture
def settings(weaviate):
    """An alias of the test's own."""
    return IndexSettings(
        kind="weaviate",
        url=weaviate.url,
        grpc_port=weaviate.grpc_port,
        alias=f"Test_{uuid.uuid4().hex[:12]}",
        writes=BatchSettings(max_size=32, max_wait_ms=1.0),
        read_seconds=10.0,
        write_seconds=20.0,
    )


@pytest.fixture
async def open_store(settings):
    opened = []

    async def open_store(fingerprint=FINGERPRINT, dimension=DIMENSION, observe=None):
        opened.append(
            await WeaviateIndex.open(
                settings, fingerprint=fingerprint, dimension=dimension, observe=observe
            )
        )
        return opened[-1]

    yield open_store
    for index in opened:
        await index.close()


class TestWeaviateIndex(VectorStoreContract):
    pass
