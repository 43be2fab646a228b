"""Indexes of a test's own on a Weaviate server."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from indexed_products import DIMENSION, FINGERPRINT
from real_servers import RealWeaviate

from operators.stores.weaviate.index import WeaviateIndex
from schemas.settings import BatchSettings, IndexSettings


def index_settings(server: RealWeaviate, **changes: object) -> IndexSettings:
    """On ``server``, with an alias that nobody else has."""
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
    index = await WeaviateIndex.open(
        settings, fingerprint=fingerprint, dimension=dimension, model="any"
    )
    try:
        yield index
    finally:
        await index.close()
