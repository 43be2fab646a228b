"""Weaviate's collections of ours: one per encoder, made by us, each saying what it holds."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace

from weaviate.classes.config import (
    Configure,
    StopwordsPreset,
    VectorDistances,
    VectorFilterStrategy,
)
from weaviate.exceptions import UnexpectedStatusCodeError

from operators.stores.weaviate.connection import WeaviateConnection
from operators.stores.weaviate.objects import properties
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
    model: str
    """What `encoder.model` has to be to load that encoder."""
    succeeds: tuple[str, ...] = ()
    """Fingerprints of the encoders before, the last one first: it was filled with all that they
    had embedded."""
    schema_version: int = SCHEMA_VERSION


def collection_name(alias: str, fingerprint: str) -> str:
    """The same for every process; Weaviate takes letters, digits and underscores."""
    return f"{alias}_{hashlib.sha256(fingerprint.encode()).hexdigest()[:12]}"


async def ensure_collection(
    connection: WeaviateConnection,
    settings: IndexSettings,
    *,
    fingerprint: str,
    dimension: int,
    model: str,
) -> Collection:
    """The encoder's collection, made when it is missing. Raises IndexMismatch."""
    name = collection_name(settings.alias, fingerprint)
    found = await describe(connection, name)
    if found is None:
        # Unlike the name, the generation changes when a collection is made anew, so that results
        # cached from one that was thrown away are void.
        generation = f"{fingerprint}@{uuid.uuid4().hex[:8]}"
        made = Collection(fingerprint, dimension, generation, model)
        await _create_collection(connection, name, made, settings)
        found = await describe(connection, name)
        if found is None:
            raise Unavailable(
                f"weaviate: the collection {name} was made, and is not there yet", reason="weaviate"
            )
    refuse_other_encoder(settings.alias, found, fingerprint, dimension)
    return found


async def note_successor(
    connection: WeaviateConnection, alias: str, collection: Collection, of: Collection
) -> Collection:
    """Have ``collection`` say that it is filled with all that ``of`` holds."""
    before = (of.fingerprint, *of.succeeds)
    noted = replace(
        collection, succeeds=tuple(each for each in before if each != collection.fingerprint)
    )
    held = connection.client.collections.use(collection_name(alias, collection.fingerprint))
    text = json.dumps(asdict(noted))
    await connection.call(SCHEMA_SECONDS, lambda: held.config.update(description=text))
    return noted


async def described(connection: WeaviateConnection, alias: str, name: str) -> Collection:
    """What the collection ``name``, to which an alias leads, says about itself.

    Raises Misconfigured when it is gone, or not one of ours.
    """
    collection = await describe(connection, name)
    if collection is None:
        raise Misconfigured(
            f"index.alias {alias}: it leads to {name}, which is not there; delete the alias, or "
            "restore the collection from a backup"
        )
    return collection


async def describe(connection: WeaviateConnection, name: str) -> Collection | None:
    """What the collection ``name`` says about itself; None when there is none.

    Raises Misconfigured when it is not one of ours.
    """
    client = connection.client
    if not await connection.call(SCHEMA_SECONDS, lambda: client.collections.exists(name)):
        return None
    config = await connection.call(SCHEMA_SECONDS, lambda: client.collections.export_config(name))
    try:
        told = json.loads(config.description or "")
        return Collection(**{**told, "succeeds": tuple(told["succeeds"])})
    except (ValueError, TypeError, KeyError) as error:
        raise Misconfigured(
            f"weaviate: the collection {name} was not made by this program; set index.alias to a "
            "name of its own"
        ) from error


def refuse_other_encoder(
    alias: str, collection: Collection, fingerprint: str, dimension: int
) -> None:
    """Raises IndexMismatch unless ``collection`` is the encoder's."""
    name = collection_name(alias, collection.fingerprint)
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
    await create(
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


async def create(connection: WeaviateConnection, request: Callable[[], Awaitable[object]]) -> None:
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
