"""Finds out whether Weaviate acknowledges writes before they can be found (ASYNC_INDEXING).

No endpoint reports it (1.38 shows the same nodes and metadata either way), so objects are written
and searched for at once. Without ASYNC_INDEXING each is found by the first search, within 20 ms;
with it after 0.5 to 1 s, as measured on one idle node.
"""

from __future__ import annotations

import time
import uuid

import numpy as np
from weaviate.classes.config import Configure, VectorDistances
from weaviate.collections import CollectionAsync

from operators.stores.weaviate.connection import WeaviateConnection
from operators.stores.weaviate.schema import create_if_missing
from schemas.errors import Misconfigured
from schemas.settings import IndexSettings

OBJECTS = 3
"""The queue is emptied about once a second: one object may be found soon by chance, three not."""
FOUND_SECONDS = 0.2
"""More than another replica needs to get the object, less than the queue."""
DIMENSION = 8


async def refuse_async_indexing(connection: WeaviateConnection, settings: IndexSettings) -> None:
    """Raise Misconfigured when a written object cannot be found at once.

    Uses a small collection of its own next to the index, ``<index.alias>_Probe``.
    """
    name = f"{settings.alias}_Probe"
    client = connection.client
    await create_if_missing(
        connection,
        lambda: client.collections.create(
            name,
            vector_config=Configure.Vectors.self_provided(
                vector_index_config=Configure.VectorIndex.hnsw(
                    distance_metric=VectorDistances.COSINE
                )
            ),
            replication_config=Configure.replication(factor=settings.replicas),
        ),
    )
    objects = client.collections.use(name)
    for _ in range(OBJECTS):
        if not await _found_at_once(connection, objects, settings):
            raise Misconfigured(
                f"index.url {settings.url}: Weaviate acknowledged an object that cannot be found "
                f"{FOUND_SECONDS:g} s later, so a look may miss what the catalog flow has "
                "published; unset ASYNC_INDEXING on the server and restart it",
                reason="weaviate-async-indexing",
            )


async def _found_at_once(
    connection: WeaviateConnection, objects: CollectionAsync, settings: IndexSettings
) -> bool:
    """Write an object, look for it, delete it."""
    written = uuid.uuid4()
    vector = np.random.default_rng(written.int).normal(size=DIMENSION).tolist()
    await connection.call(
        settings.write_seconds,
        lambda: objects.data.insert({}, uuid=written, vector=vector),
    )
    until = time.monotonic() + FOUND_SECONDS
    while True:
        reply = await connection.call(
            settings.read_seconds, lambda: objects.query.near_vector(vector, limit=1)
        )
        found = [each.uuid for each in reply.objects] == [written]
        if found or time.monotonic() >= until:
            break
    await connection.call(settings.write_seconds, lambda: objects.data.delete_by_id(written))
    return found
