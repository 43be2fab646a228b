"""Weaviate's collections of ours: one per encoder, behind an alias that names the one in force."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass

from weaviate.classes.config import (
    Configure,
    StopwordsPreset,
    VectorDistances,
    VectorFilterStrategy,
)
from weaviate.exceptions import UnexpectedStatusCodeError

from operators.stores.weaviate_connection import WeaviateConnection
from operators.stores.weaviate_objects import properties
from schemas.errors import IndexMismatch, Misconfigured, Unavailable
from schemas.settings import IndexSettings

SCHEMA_VERSION = 1

MAX_CONNECTIONS = 32
EF_CONSTRUCTION = 256
EF = 128
"""Of the HNSW graph; benchmarks/weaviate_filters.py measures their recall."""

SCHEMA_SECONDS = 10.0
"""A change of the schema is agreed on by the cluster's nodes first."""


@dataclass(frozen=True, slots=True)
class Collection:
    """What a collection says about itself, in its description."""

    fingerprint: str
    dimension: int
    generation: str
    schema_version: int = SCHEMA_VERSION


def collection_name(alias: str, fingerprint: str) -> str:
    """The same for every process; Weaviate takes letters, digits and underscores."""
    return f"{alias}_{hashlib.sha256(fingerprint.encode()).hexdigest()[:12]}"


async def ensure_index(
    connection: WeaviateConnection, settings: IndexSettings, *, fingerprint: str, dimension: int
) -> tuple[str, Collection]:
    """The collection in force and its name, made when there is none; safe when several processes
    come at once.

    Raises IndexMismatch when it belongs to another encoder.
    """
    name = await target_of(connection, settings.alias)
    if name is None:
        made = collection_name(settings.alias, fingerprint)
        await ensure_collection(
            connection, made, settings, fingerprint=fingerprint, dimension=dimension
        )
        await _create_alias(connection, settings.alias, made)
        name = await target_of(connection, settings.alias)
        if name is None:
            raise Unavailable(
                f"weaviate: the alias {settings.alias} was made, and is not there yet",
                reason="weaviate",
            )
    collection = await describe(connection, name)
    if collection is None:
        raise Misconfigured(
            f"index.alias {settings.alias}: it leads to {name}, which is not there; delete the "
            "alias, or restore the collection from a backup"
        )
    _refuse_other_encoder(settings.alias, name, collection, fingerprint, dimension)
    return name, collection


async def ensure_collection(
    connection: WeaviateConnection,
    name: str,
    settings: IndexSettings,
    *,
    fingerprint: str,
    dimension: int,
) -> Collection:
    """The collection ``name``, made when it is missing. Raises IndexMismatch."""
    found = await describe(connection, name)
    if found is None:
        # Unlike the name, the generation changes when a collection is made anew, so that results
        # cached from one that was thrown away are void.
        generation = f"{fingerprint}@{uuid.uuid4().hex[:8]}"
        made = Collection(fingerprint, dimension, generation)
        await _create_collection(connection, name, made, settings)
        found = await describe(connection, name)
        if found is None:
            raise Unavailable(
                f"weaviate: the collection {name} was made, and is not there yet", reason="weaviate"
            )
    _refuse_other_encoder(settings.alias, name, found, fingerprint, dimension)
    return found


async def target_of(connection: WeaviateConnection, alias: str) -> str | None:
    """The collection that ``alias`` leads to."""
    found = await connection.call(
        SCHEMA_SECONDS, lambda: connection.client.alias.get(alias_name=alias)
    )
    return None if found is None else found.collection


async def describe(connection: WeaviateConnection, name: str) -> Collection | None:
    """What the collection ``name`` says about itself; None when there is none.

    Raises Misconfigured when it is not one of ours.
    """
    client = connection.client
    if not await connection.call(SCHEMA_SECONDS, lambda: client.collections.exists(name)):
        return None
    config = await connection.call(SCHEMA_SECONDS, lambda: client.collections.export_config(name))
    try:
        return Collection(**json.loads(config.description or ""))
    except (ValueError, TypeError) as error:
        raise Misconfigured(
            f"weaviate: the collection {name} was not made by this program; set index.alias to a "
            "name of its own"
        ) from error


def _refuse_other_encoder(
    alias: str, name: str, collection: Collection, fingerprint: str, dimension: int
) -> None:
    if collection.schema_version != SCHEMA_VERSION:
        raise IndexMismatch(
            f"index {name}: written with schema {collection.schema_version}, this version has "
            f"{SCHEMA_VERSION}; set index.alias to a new name and replay the catalog into it"
        )
    if (collection.fingerprint, collection.dimension) != (fingerprint, dimension):
        raise IndexMismatch(
            f"index.alias {alias}: leads to {name}, built with encoder {collection.fingerprint} "
            f"({collection.dimension} dimensions), the one in force is {fingerprint} "
            f"({dimension}); set encoder.model back, or change the model with `looksync jobs "
            "reembed`, or set index.alias to a new name and replay the catalog into it"
        )


async def _create_collection(
    connection: WeaviateConnection, name: str, collection: Collection, settings: IndexSettings
) -> None:
    quantizer = Configure.VectorIndex.Quantizer
    shards = settings.shards
    await _create(
        connection,
        lambda: connection.client.collections.create(
            name,
            description=json.dumps(asdict(collection)),
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


async def _create_alias(connection: WeaviateConnection, alias: str, name: str) -> None:
    client = connection.client
    await _create(connection, lambda: client.alias.create(alias_name=alias, target_collection=name))


async def _create(connection: WeaviateConnection, request: Callable[[], Awaitable[object]]) -> None:
    """Do ``request``; that another process was first is as good."""

    async def attempt() -> None:
        try:
            await request()
        except UnexpectedStatusCodeError as error:
            if error.status_code != 422:
                raise
            if "already exists" not in str(error):
                raise Misconfigured(f"weaviate cannot make the index: {error}") from error

    await connection.call(SCHEMA_SECONDS, attempt)
