"""The production vector store: Weaviate, through its asynchronous client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any, Self, TypeAlias

import numpy as np
from weaviate.classes.data import DataObject
from weaviate.classes.query import Filter
from weaviate.exceptions import WeaviateInsertManyAllFailedError

from operators.batcher import MicroBatcher
from operators.ports import Candidate, Filters, IndexedAttributes, Vector
from operators.served_calls import ServedCalls
from operators.stores.index_writes import (
    Delete,
    Patch,
    Upsert,
    Write,
    rounds_of_keys,
    validate_vector,
)
from operators.stores.weaviate.aliases import ensure_index
from operators.stores.weaviate.connection import WeaviateConnection, translate_rejection
from operators.stores.weaviate.objects import (
    from_properties,
    read_or_leave_out,
    to_filter,
    to_properties,
)
from operators.stores.weaviate.presence import Presence
from operators.stores.weaviate.schema import Collection, collection_name
from operators.stores.weaviate.search import MAX_TIES, nearest
from schemas.errors import LookSyncError, Unavailable
from schemas.ids import index_id
from schemas.settings import IndexSettings

SCAN_PAGE = 1_000
"""Objects per read of a scan; about half a megabyte without their vectors."""

VECTOR = "default"
"""Weaviate's name for the only vector of a collection."""

_Result: TypeAlias = bool | Exception


class WeaviateIndex:
    """A :class:`operators.ports.VectorStore`; concurrent writes share requests.

    Writes of one key are applied in the order of submission. A patch reads the stored vector and
    replaces the whole object: Weaviate does not touch its graph when the vector is unchanged, and
    this is 15 times faster than its own PATCH (docs/decisions/085).
    """

    def __init__(
        self,
        connection: WeaviateConnection,
        collection: Collection,
        settings: IndexSettings,
        observe: Callable[[int, float], None] | None,
    ) -> None:
        """Use :meth:`open`."""
        self._connection = connection
        name = collection_name(settings.alias, collection.fingerprint)
        self._objects = connection.client.collections.use(name)
        self._collection = collection
        self._presence = Presence(connection, collection, settings.alias)
        self._settings = settings
        self._served = ServedCalls()
        self._searches = asyncio.Semaphore(settings.searches)
        self._batcher = MicroBatcher[Write, bool](
            self._write_all,
            max_size=settings.writes.max_size,
            max_wait_ms=settings.writes.max_wait_ms,
            observe=observe,
        )

    @classmethod
    async def open(
        cls,
        connection: WeaviateConnection,
        settings: IndexSettings,
        *,
        fingerprint: str,
        dimension: int,
        model: str,
        observe: Callable[[int, float], None] | None = None,
    ) -> Self:
        """Open the encoder's collection, active or secondary; create it when there is no index.

        The caller closes ``connection``. ``fingerprint`` and ``dimension`` are the
        encoder's, ``model`` its name in the settings. ``observe`` receives each write batch's size
        and how long its first write waited, in seconds. Raises IndexMismatch when the index was
        built with another encoder, Misconfigured or Unavailable when it cannot be used.
        """
        collection = await ensure_index(
            connection, settings, fingerprint=fingerprint, dimension=dimension, model=model
        )
        index = cls(connection, collection, settings, observe)
        # The schema is read by REST, objects by gRPC: check now that the gRPC port answers.
        await index.count()
        return index

    @property
    def generation(self) -> str:
        return self._collection.generation

    @property
    def predecessor_fingerprints(self) -> frozenset[str]:
        """Earlier encoders; this collection holds every product that they had embedded."""
        return frozenset(self._collection.predecessor_fingerprints)

    async def upsert(self, key: str, vector: Vector, attributes: IndexedAttributes) -> None:
        await self._batcher.submit(
            Upsert(key, validate_vector(vector, self._collection.dimension), attributes)
        )

    async def patch(self, key: str, attributes: IndexedAttributes) -> bool:
        return await self._batcher.submit(Patch(key, attributes))

    async def delete(self, key: str) -> None:
        await self._batcher.submit(Delete(key))

    async def search(self, vector: Vector, filters: Filters, limit: int) -> list[Candidate]:
        query = validate_vector(vector, self._collection.dimension).tolist()
        conditions = to_filter(filters)

        async def ordered(asked: int) -> list[Candidate]:
            found = await self._read(lambda: nearest(self._objects.query, query, conditions, asked))
            return sorted(found, key=lambda candidate: (-candidate.similarity, candidate.key))

        asked = limit + 1
        async with self._searches:
            found = await ordered(asked)
            # Objects that were not read yet may be as near as the last one.
            while (
                len(found) == asked <= limit + MAX_TIES
                and found[limit - 1].similarity == found[-1].similarity
            ):
                asked *= 2
                found = await ordered(asked)
        if not found:
            await self._presence.require(suspicious=True)
        return found[:limit]

    async def get(self, key: str) -> Candidate | None:
        async with self._searches:
            found = await self._read(
                lambda: self._objects.query.fetch_object_by_id(index_id(key), include_vector=True)
            )
        return None if found is None else read_or_leave_out(self._candidate, found)

    async def count(self) -> int:
        total = await self._read(lambda: self._objects.aggregate.over_all(total_count=True))
        if not isinstance(total.total_count, int):
            raise Unavailable("weaviate: the number of objects is missing", reason="weaviate")
        return total.total_count

    async def scan(self) -> AsyncIterator[tuple[str, IndexedAttributes]]:
        fetch, last = self._objects.query.fetch_objects, None
        while True:
            page = await self._read(partial(fetch, limit=SCAN_PAGE, after=last))
            for each in page.objects:
                product = read_or_leave_out(from_properties, each.properties)
                if product is not None:
                    yield product
            if not page.objects:
                return
            last = page.objects[-1].uuid

    async def close(self) -> None:
        """Finish the writes under way."""
        await self._batcher.close()

    async def _read(self, request: Callable[[], Any]) -> Any:
        return await self._call("read", self._settings.read_seconds, request)

    async def _write(self, kind: str, request: Callable[[], Any]) -> Any:
        return await self._call(kind, self._settings.write_seconds, request)

    async def _call(self, kind: str, seconds: float, request: Callable[[], Any]) -> Any:
        await self._presence.require()
        try:
            with self._served.call(kind):
                return await self._connection.call(seconds, request)
        except Unavailable:
            await self._presence.require(suspicious=True)
            raise

    async def _write_all(self, writes: Sequence[Write]) -> list[_Result]:
        """Apply ``writes``; those without an error are acknowledged when it returns."""
        results: list[_Result] = [True] * len(writes)
        for round_ in rounds_of_keys([write.key for write in writes]):
            round_results = await self._apply([writes[position] for position in round_])
            for position, result in zip(round_, round_results, strict=True):
                results[position] = result
        return results

    async def _apply(self, writes: Sequence[Write]) -> list[_Result]:
        """Apply ``writes`` of distinct keys: read vectors for the patches, put objects, delete."""
        results: dict[str, _Result] = {}
        try:
            patched = [write.key for write in writes if isinstance(write, Patch)]
            vectors = await self._vectors(patched) if patched else {}
            put: list[tuple[str, Vector, IndexedAttributes]] = []
            for write in writes:
                if isinstance(write, Upsert):
                    put.append((write.key, write.vector, write.attributes))
                elif isinstance(write, Patch):
                    if write.key in vectors:
                        put.append((write.key, vectors[write.key], write.attributes))
                    else:
                        results[write.key] = False
            if put:
                results.update(await self._put(put))
        except LookSyncError as error:
            for write in writes:
                if not isinstance(write, Delete):
                    results.setdefault(write.key, error)
        deleted = [write.key for write in writes if isinstance(write, Delete)]
        if deleted:
            try:
                await self._remove(deleted)
            except LookSyncError as error:
                results.update(dict.fromkeys(deleted, error))
        return [results.get(write.key, True) for write in writes]

    async def _vectors(self, keys: Sequence[str]) -> dict[str, Vector]:
        """The stored vectors of the ``keys`` that exist. One that is damaged counts as missing, so
        its product is embedded again."""
        by_id = {index_id(key): key for key in keys}
        reply = await self._read(
            lambda: self._objects.query.fetch_objects_by_ids(
                list(by_id), limit=len(by_id), include_vector=True, return_properties=[]
            )
        )
        read = {each.uuid: read_or_leave_out(self._vector, each) for each in reply.objects}
        return {
            key: vector for uuid, key in by_id.items() if (vector := read.get(uuid)) is not None
        }

    def _vector(self, stored: Any) -> Vector:
        vector = np.asarray(stored.vector[VECTOR], dtype=np.float32)
        return validate_vector(vector, self._collection.dimension)

    def _candidate(self, stored: Any) -> Candidate:
        key, attributes = from_properties(stored.properties)
        return Candidate(key, 1.0, attributes, self._vector(stored))

    async def _put(
        self, objects: Sequence[tuple[str, Vector, IndexedAttributes]]
    ) -> dict[str, _Result]:
        """Write whole objects; return the errors of rejected ones by key."""
        batch = [
            DataObject(
                uuid=index_id(key),
                properties=to_properties(key, attributes),
                vector=vector,  # type: ignore[arg-type]
            )
            for key, vector, attributes in objects
        ]

        async def insert() -> dict[int, str]:
            """The error of each rejected object, by position."""
            try:
                reply = await self._objects.data.insert_many(batch)
            except WeaviateInsertManyAllFailedError as error:
                # The message contains the reasons of all objects.
                return dict.fromkeys(range(len(batch)), error.message)
            return {position: error.message for position, error in reply.errors.items()}

        messages = await self._write("insert", insert)
        self._served.count("put", len(batch) - len(messages))
        errors = {
            position: self._served.mark(translate_rejection(message), "put")
            for position, message in messages.items()
        }
        if len(errors) == len(batch) > 1 and isinstance(errors[0], ValueError):
            return {
                key: error for one in objects for key, error in (await self._put([one])).items()
            }
        return {objects[position][0]: error for position, error in errors.items()}

    async def _remove(self, keys: Sequence[str]) -> None:
        ids = [index_id(key) for key in keys]
        reply = await self._write(
            "delete", lambda: self._objects.data.delete_many(Filter.by_id().contains_any(ids))
        )
        if reply.failed:
            # The reply does not say which ones, or why; deleting again is harmless.
            raise Unavailable(
                f"weaviate: {reply.failed} of {reply.matches} objects were not deleted; is the "
                "collection read-only, or the disk full?",
                reason="weaviate-write",
            )
