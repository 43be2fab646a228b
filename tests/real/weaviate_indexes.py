"""Indexes for single tests on a shared Weaviate server."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from operators.stores.weaviate.connection import WeaviateConnection
from operators.stores.weaviate.index import WeaviateIndex
from schemas.settings import BatchSettings, IndexSettings
from tests.indexed_products import DIMENSION, FINGERPRINT
from tests.real.real_servers import RealWeaviate


def index_settings(server: RealWeaviate, **changes: object) -> IndexSettings:
    """Settings for an index on ``server`` with a unique alias."""
    patient = {"read_seconds": 10.0, "write_seconds": 20.0}
    return IndexSettings(
        kind="weaviate",
        url=server.url,
        grpc_port=server.grpc_port,
        alias=f"Test_{uuid.uuid4().hex[:12]}",
        writes=BatchSettings(max_size=32, max_wait_ms=1.0),
        **{**patient, **changes},
    )


@asynccontextmanager
async def opened(
    settings: IndexSettings, fingerprint: str = FINGERPRINT, dimension: int = DIMENSION
) -> AsyncIterator[WeaviateIndex]:
    connection = await WeaviateConnection.open(settings)
    try:
        index = await WeaviateIndex.open(
            connection, settings, fingerprint=fingerprint, dimension=dimension, model="any"
        )
        try:
            yield index
        finally:
            await index.close()
    finally:
        await connection.close()
