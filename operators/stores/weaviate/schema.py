"""Our collections in Weaviate: one per encoder, each with a description of what it holds."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Self

from weaviate.classes.config import (
    Configure,
    StopwordsPreset,
    VectorDistances,
    VectorFilterStrategy,
)
from weaviate.exceptions import UnexpectedStatusCodeError

from operators.stores.weaviate.connection import WeaviateConnection
from operators.stores.weaviate.objects import properties
from schemas.errors import IndexLost, IndexMismatch, Misconfigured, Unavailable
from schemas.settings import IndexSettings

SCHEMA_VERSION = 1

MAX_CONNECTIONS = 32
EF_CONSTRUCTION = 256
EF = 128
"""HNSW graph parameters; benchmarks/weaviate_filters.py measures their recall."""

REBUILD = "restore it from a backup, or stop the flows and run `looksync jobs rebuild-index`"

SCHEMA_SECONDS = 10.0
"""The nodes of a cluster must agree on every schema change before it is acknowledged."""


@dataclass(frozen=True, slots=True)
class Collection:
    """What a collection holds; stored as JSON in its Weaviate description."""

    fingerprint: str
    dimension: int
    generation: str
    model: str
    """The value of `encoder.model` that loads this encoder."""
    predecessor_fingerprints: tuple[str, ...] = ()
    """Earlier encoders, latest first; this collection holds every product they had embedded."""
    schema_version: int = SCHEMA_VERSION

    @classmethod
    def parse(cls, description: str) -> Self:
        """Raises ValueError, TypeError or KeyError for a description that is not ours."""
        stored = json.loads(description)
        return cls(predecessor_fingerprints=tuple(stored.pop("succeeds")), **stored)

    def encode(self) -> str:
        """The field name ``succeeds`` is part of the stored format."""
        return json.dumps(
            {
                "fingerprint": self.fingerprint,
                "dimension": self.dimension,
                "generation": self.generation,
                "model": self.model,
                "succeeds": self.predecessor_fingerprints,
                "schema_version": self.schema_version,
            }
        )


def collection_name(alias: str, fingerprint: str) -> str:
    """The encoder's collection; Weaviate allows letters, digits and underscores in names."""
    return f"{alias}_{hashlib.sha256(fingerprint.encode()).hexdigest()[:12]}"


async def ensure_collection(
    connection: WeaviateConnection,
    settings: IndexSettings,
    *,
    fingerprint: str,
    dimension: int,
    model: str,
) -> Collection:
    """The encoder's collection, created when missing. Raises IndexMismatch."""
    name = collection_name(settings.alias, fingerprint)
    found = await find_collection(connection, name)
    if found is None:
        # Unlike the name, the generation changes when a collection is recreated, so that results
        # cached from a deleted one are void.
        generation = f"{fingerprint}@{uuid.uuid4().hex[:8]}"
        new = Collection(fingerprint, dimension, generation, model)
        await _create_collection(connection, name, new, settings)
        found = await find_collection(connection, name)
        if found is None:
            raise Unavailable(
                f"weaviate: the collection {name} was created but is not visible yet",
                reason="weaviate",
            )
    require_encoder(settings.alias, found, fingerprint, dimension)
    return found


async def record_predecessor(
    connection: WeaviateConnection, alias: str, collection: Collection, predecessor: Collection
) -> Collection:
    """Store in ``collection`` that it will hold every product of ``predecessor``."""
    earlier = (predecessor.fingerprint, *predecessor.predecessor_fingerprints)
    updated = replace(
        collection,
        predecessor_fingerprints=tuple(each for each in earlier if each != collection.fingerprint),
    )
    stored = connection.client.collections.use(collection_name(alias, collection.fingerprint))
    await connection.call(
        SCHEMA_SECONDS, lambda: stored.config.update(description=updated.encode())
    )
    return updated


async def require_collection(connection: WeaviateConnection, alias: str, name: str) -> Collection:
    """The collection ``name``, the target of an alias.

    Raises IndexLost when it does not exist, Misconfigured when it is not one of ours.
    """
    collection = await find_collection(connection, name)
    if collection is None:
        raise IndexLost(
            f"index.alias {alias}: points to {name}, which does not exist; {REBUILD}",
            reason="index-lost",
        )
    return collection


async def find_collection(connection: WeaviateConnection, name: str) -> Collection | None:
    """The collection ``name``; None when it does not exist.

    Raises Misconfigured when it is not one of ours.
    """
    client = connection.client
    if not await connection.call(SCHEMA_SECONDS, lambda: client.collections.exists(name)):
        return None
    config = await connection.call(SCHEMA_SECONDS, lambda: client.collections.export_config(name))
    try:
        return Collection.parse(config.description or "")
    except (ValueError, TypeError, KeyError) as error:
        raise Misconfigured(
            f"weaviate: the collection {name} was not created by this program; set index.alias to "
            "an unused name"
        ) from error


def require_encoder(alias: str, collection: Collection, fingerprint: str, dimension: int) -> None:
    """Raise IndexMismatch unless ``collection`` is the encoder's."""
    name = collection_name(alias, collection.fingerprint)
    if collection.schema_version != SCHEMA_VERSION:
        raise IndexMismatch(
            f"index {name}: written with schema {collection.schema_version}, this version has "
            f"{SCHEMA_VERSION}; set index.alias to a new name and run `looksync jobs "
            "rebuild-index`"
        )
    if (collection.fingerprint, collection.dimension) != (fingerprint, dimension):
        raise IndexMismatch(
            f"index.alias {alias}: points to {name}, built with encoder {collection.fingerprint} "
            f"({collection.dimension} dimensions); the configured encoder is {fingerprint} "
            f"({dimension}); set encoder.model back, or change the model with `looksync jobs "
            "reembed`, or set index.alias to a new name and run `looksync jobs rebuild-index`"
        )


async def _create_collection(
    connection: WeaviateConnection, name: str, collection: Collection, settings: IndexSettings
) -> None:
    quantizer = Configure.VectorIndex.Quantizer
    shards = settings.shards
    await create_if_missing(
        connection,
        lambda: connection.client.collections.create(
            name,
            description=collection.encode(),
            properties=properties(),
            vector_config=Configure.Vectors.self_provided(
                vector_index_config=Configure.VectorIndex.hnsw(
                    distance_metric=VectorDistances.COSINE,
                    max_connections=MAX_CONNECTIONS,
                    ef_construction=EF_CONSTRUCTION,
                    ef=EF,
                    filter_strategy=VectorFilterStrategy.ACORN,
                ),
                quantizer=quantizer.rq(bits=8) if settings.quantisation == "rq8" else None,
            ),
            inverted_index_config=Configure.inverted_index(stopwords_preset=StopwordsPreset.NONE),
            replication_config=Configure.replication(factor=settings.replicas),
            sharding_config=None if shards is None else Configure.sharding(desired_count=shards),
        ),
    )


async def create_if_missing(
    connection: WeaviateConnection, request: Callable[[], Awaitable[object]]
) -> None:
    """Send ``request``; succeed when another process created the object first."""

    async def attempt() -> None:
        try:
            await request()
        except UnexpectedStatusCodeError as error:
            if error.status_code != 422:
                raise
            if "already exists" not in str(error):
                raise Misconfigured(f"weaviate cannot create the index: {error}") from error

    await connection.call(SCHEMA_SECONDS, attempt)
