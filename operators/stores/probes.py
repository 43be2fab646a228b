"""The checks of the stores that ``looksync doctor`` runs; an error says what to do."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
from PIL import Image
from redis.asyncio import Redis

from operators.stores.redis.client import translate_errors
from operators.stores.redis.server import inspect_server, refuse_unfit
from operators.stores.sqlite.schema import connect, read_collection
from operators.stores.sqlite.schema import translate_errors as translate_sqlite_errors
from operators.stores.thumbnails import ThumbnailFolder
from schemas.errors import Unavailable
from schemas.settings import IndexSettings

if TYPE_CHECKING:
    from operators.stores.weaviate.connection import WeaviateConnection


@dataclass(frozen=True, slots=True)
class ProbedIndex:
    """What was found of an index."""

    description: str
    generation: str | None
    """None: there is no index yet."""
    products: int


async def probe_sqlite(path: Path) -> ProbedIndex:
    """Check the integrity of the index at ``path`` and describe it; creates nothing.

    Raises Misconfigured or Unavailable.
    """
    return await asyncio.to_thread(_check_file, path)


def _check_file(path: Path) -> ProbedIndex:
    if not path.exists():
        return ProbedIndex(f"{path}: does not exist yet; it is created at its first use", None, 0)
    with translate_sqlite_errors(path):
        connection = connect(path)
        try:
            collection = read_collection(connection)
            problem = connection.execute("PRAGMA quick_check(1)").fetchone()
            if problem != ("ok",):
                raise apsw.CorruptError(str(problem))
            if collection is None:
                return ProbedIndex(f"{path}: empty", None, 0)
            products = connection.execute("SELECT count(*) FROM products").fetchone()
            assert isinstance(products, tuple), "a count is one row"
            description = f"{path}: {products[0]:,} products of {collection.fingerprint}"
            return ProbedIndex(description, collection.generation, products[0])
        finally:
            connection.close()


async def probe_weaviate(connection: WeaviateConnection, settings: IndexSettings) -> ProbedIndex:
    """Read the collection that the alias points to and describe it; creates only the probe's own.

    Raises Misconfigured or Unavailable. Does not check whether the index belongs to the configured
    encoder; that happens when the index is opened with one (IndexMismatch).
    """
    # Not at the top: Weaviate's client takes a second to import.
    from operators.stores.weaviate.aliases import target_of
    from operators.stores.weaviate.async_indexing import refuse_async_indexing
    from operators.stores.weaviate.schema import SCHEMA_SECONDS, require_collection

    await refuse_async_indexing(connection, settings)
    name = await target_of(connection, settings.alias)
    if name is None:
        return ProbedIndex(
            f"{settings.url}: the alias {settings.alias} does not exist yet; `looksync index "
            "create` creates it, or the first process that uses it",
            None,
            0,
        )
    collection = connection.client.collections.use(name)
    about = await require_collection(connection, settings.alias, name)
    shards = await connection.call(SCHEMA_SECONDS, collection.config.get_shards)
    total = await connection.call(
        settings.read_seconds, lambda: collection.aggregate.over_all(total_count=True)
    )
    if read_only := [shard.name for shard in shards if shard.status == "READONLY"]:
        raise Unavailable(
            f"{settings.url}: shards {', '.join(read_only)} of {name} are read-only, so the "
            "catalog flow waits; free disk space, then set them to READY",
            reason="weaviate-write",
        )
    products = int(total.total_count or 0)
    return ProbedIndex(
        f"{settings.url}: {settings.alias} points to {name}, {products:,} objects of "
        f"{about.fingerprint}",
        about.generation,
        products,
    )


async def probe_redis(client: Redis) -> str:
    """Check that the server is safe for a ledger, write a key, read it back, describe the server.

    Raises Misconfigured or Unavailable.
    """
    found = await inspect_server(client)
    refuse_unfit(found)
    await _write_and_read(client)
    return found.description


async def _write_and_read(client: Redis) -> None:
    key = f"looksync:probe:{uuid.uuid4().hex}"
    with translate_errors():
        # The same command as a claim.
        before = await client.set(key, b"1", px=10_000, nx=True, get=True)
        after = await client.get(key)
    if (before, after) != (None, b"1"):
        raise Unavailable(
            f"redis: a written value did not come back ({before!r}, {after!r}); is there a proxy "
            "between this process and the server?",
            reason="redis",
        )


async def probe_thumbnails(thumbnails: ThumbnailFolder) -> None:
    """Write, read and delete a thumbnail. Raises Misconfigured or Unavailable."""
    key = f"probe:{uuid.uuid4().hex}"
    await thumbnails.put(key, Image.new("RGB", (8, 8)))
    content = await thumbnails.get(key)
    await thumbnails.delete(key)
    if content is None:
        raise Unavailable(
            "thumbnails.url: a written thumbnail did not come back",
            reason="thumbnails",
        )
