"""What ``looksync doctor`` asks of the stores; an error says what to do."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

import apsw
from PIL import Image
from redis.asyncio import Redis

from operators.stores.redis.client import explained, open_redis
from operators.stores.redis.embedded_server import ensure_server
from operators.stores.redis.server import RedisServer, examine, refuse_unfit
from operators.stores.sqlite.schema import connect, read_collection
from operators.stores.sqlite.schema import explained as sqlite_explained
from operators.stores.thumbnails import ThumbnailFolder
from operators.stores.weaviate.aliases import target_of
from operators.stores.weaviate.connection import WeaviateConnection
from operators.stores.weaviate.schema import SCHEMA_SECONDS, describe
from schemas.errors import Unavailable
from schemas.settings import IndexSettings, RedisSettings, ThumbnailSettings


async def probe_index(settings: IndexSettings) -> str:
    """Open the index as the flows do and read it; what was found. Nothing is made in Weaviate.

    Raises Misconfigured or Unavailable. Whether the index belongs to the encoder in force is
    found out when it is opened with one (IndexMismatch).
    """
    if settings.kind == "weaviate":
        return await _probe_weaviate(settings)
    await asyncio.to_thread(_read_through, settings.path)
    return str(settings.path)


def _read_through(path: Path) -> None:
    with sqlite_explained(path):
        connection = connect(path)
        try:
            read_collection(connection)
            problem = connection.execute("PRAGMA quick_check(1)").fetchone()
            if problem != ("ok",):
                raise apsw.CorruptError(str(problem))
        finally:
            connection.close()


async def _probe_weaviate(settings: IndexSettings) -> str:
    connection = await WeaviateConnection.open(settings)
    try:
        name = await target_of(connection, settings.alias)
        if name is None:
            return (
                f"{settings.url}: the alias {settings.alias} is not there yet; `looksync index "
                "create` makes it, or whatever uses it first"
            )
        held = connection.client.collections.use(name)
        about = await describe(connection, name)
        shards = await connection.call(SCHEMA_SECONDS, held.config.get_shards)
        total = await connection.call(
            settings.read_seconds, lambda: held.aggregate.over_all(total_count=True)
        )
    finally:
        await connection.close()
    if read_only := [shard.name for shard in shards if shard.status == "READONLY"]:
        raise Unavailable(
            f"{settings.url}: shards {', '.join(read_only)} of {name} are read-only, so the "
            "catalog flow waits; make room on the disk, then set them to READY",
            reason="weaviate-write",
        )
    return (
        f"{settings.url}: {settings.alias} leads to {name}, {total.total_count:,} objects of "
        f"{about.fingerprint if about else '?'}"
    )


async def probe_redis(settings: RedisSettings) -> str:
    """Ask whether a ledger is safe there, write a key with a time to live and read it back; what
    was found. Embedded: start the server if need be, and stop it again if it was started here.

    Raises Misconfigured or Unavailable.
    """
    if settings.kind == "embedded":
        server = await asyncio.to_thread(ensure_server, settings.folder)
        try:
            await _asked(open_redis(server.url))
        finally:
            await asyncio.to_thread(server.stop)
        return f"embedded, in {settings.folder}"
    found = await _asked(open_redis(settings.url, settings))
    return f"{settings.shown_url}: {found.description}"


async def _asked(client: Redis) -> RedisServer:
    try:
        found = await examine(client)
        refuse_unfit(found)
        await _write_and_read(client)
        return found
    finally:
        await client.aclose()


async def _write_and_read(client: Redis) -> None:
    key = f"looksync:probe:{uuid.uuid4().hex}"
    with explained():
        # As a claim does it.
        before = await client.set(key, b"1", px=10_000, nx=True, get=True)
        after = await client.get(key)
    if (before, after) != (None, b"1"):
        raise Unavailable(
            f"redis: what was written did not come back ({before!r}, {after!r}); is something "
            "between us and the server?",
            reason="redis",
        )


async def probe_thumbnails(settings: ThumbnailSettings) -> None:
    """Write, read and delete a thumbnail. Raises Misconfigured or Unavailable."""
    thumbnails = ThumbnailFolder.open(settings)
    key = f"probe:{uuid.uuid4().hex}"
    await thumbnails.put(key, Image.new("RGB", (8, 8)))
    content = await thumbnails.get(key)
    await thumbnails.delete(key)
    if content is None:
        raise Unavailable(
            f"thumbnails.url {settings.url!r}: what was written did not come back",
            reason="thumbnails",
        )
