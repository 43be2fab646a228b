"""The production vector store: Weaviate, by its asynchronous client."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any, Self, TypeAlias

import numpy as np
from weaviate.classes.data import DataObject
from weaviate.classes.query import Filter
from weaviate.exceptions import WeaviateInsertManyAllFailedError

from operators.batcher import MicroBatcher
from operators.ports import Candidate, Filters, IndexedAttributes, Vector
from operators.stores.index_writes import Delete, Patch, Upsert, Write, checked
from operators.stores.weaviate.aliases import ensure_index
from operators.stores.weaviate.connection import WeaviateConnection, explained_refusal
from operators.stores.weaviate.objects import from_properties, to_filter, to_properties
from operators.stores.weaviate.schema import Collection, collection_name
from operators.stores.weaviate.search import nearest
from schemas.errors import LookSyncError, Unavailable
from schemas.ids import index_id
from schemas.settings import IndexSettings

SCAN_PAGE = 1_000
"""Objects of one read of a scan, without their vectors about half a megabyte."""

MOST_TIES = 512
"""A search sees that many objects more than it was asked for when they are equally near, so as to
order them by key; a shop rarely has more items of one picture."""

VECTOR = "default"
"""What Weaviate calls a collection's only vector."""


_Result: TypeAlias = bool | Exception


class WeaviateIndex:
    """A :class:`operators.ports.VectorStore`; concurrent writes share requests.

    Writes of one key are applied in the order in which they were submitted. A patch reads the
    stored vector and puts the object anew with it: Weaviate leaves its graph alone when the vector
    is the same, and that is 15 times faster than its own PATCH (docs/decisions/085).
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
        self._settings = settings
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
        settings: IndexSettings,
        *,
        fingerprint: str,
        dimension: int,
        model: str,
        observe: Callable[[int, float], None] | None = None,
    ) -> Self:
        """The encoder's index behind ``settings.alias`` or beside it, made when there is none.

        ``fingerprint`` and ``dimension`` are the encoder's, ``model`` its name in the settings.
        ``observe`` is told each write batch's size and how long its first write waited, in
        seconds. Raises IndexMismatch when the index was built with another encoder, Misconfigured
        or Unavailable when it cannot be used.
        """
        connection = await WeaviateConnection.open(settings)
        try:
            collection = await ensure_index(
                connection, settings, fingerprint=fingerprint, dimension=dimension, model=model
            )
            index = cls(connection, collection, settings, observe)
            # Schemas travel by REST, objects by gRPC: find out now whether that port answers.
            await index.count()
        except BaseException:
            await connection.close()
            raise
        return index

    @property
    def generation(self) -> str:
        return self._collection.generation

    @property
    def succeeds(self) -> frozenset[str]:
        """Fingerprints of the encoders before: all that they had embedded is here too."""
        return frozenset(self._collection.succeeds)

    async def upsert(self, key: str, vector: Vector, attributes: IndexedAttributes) -> None:
        await self._batcher.submit(
            Upsert(key, checked(vector, self._collection.dimension), attributes)
        )

    async def patch(self, key: str, attributes: IndexedAttributes) -> bool:
        return await self._batcher.submit(Patch(key, attributes))

    async def delete(self, key: str) -> None:
        await self._batcher.submit(Delete(key))

    async def search(self, vector: Vector, filters: Filters, limit: int) -> list[Candidate]:
        query, conditions = checked(vector, self._collection.dimension).tolist(), to_filter(filters)

        async def ordered(asked: int) -> list[Candidate]:
            found = await self._read(lambda: nearest(self._objects.query, query, conditions, asked))
            return sorted(found, key=lambda candidate: (-candidate.similarity, candidate.key))

        asked = limit + 1
        async with self._searches:
            found = await ordered(asked)
            # The last place may be shared with objects that were not seen yet.
            while (
                len(found) == asked <= limit + MOST_TIES
                and found[limit - 1].similarity == found[-1].similarity
            ):
                asked *= 2
                found = await ordered(asked)
        return found[:limit]

    async def get(self, key: str) -> Candidate | None:
        async with self._searches:
            found = await self._read(
                lambda: self._objects.query.fetch_object_by_id(index_id(key), include_vector=True)
            )
        return None if found is None else _candidate(found, 1.0)

    async def count(self) -> int:
        total = await self._read(lambda: self._objects.aggregate.over_all(total_count=True))
        return total.total_count or 0

    async def scan(self) -> AsyncIterator[tuple[str, IndexedAttributes]]:
        fetch, last = self._objects.query.fetch_objects, None
        while True:
            page = await self._read(partial(fetch, limit=SCAN_PAGE, after=last))
            for each in page.objects:
                yield from_properties(each.properties)
            if not page.objects:
                return
            last = page.objects[-1].uuid

    async def close(self) -> None:
        """Finish the writes under way, then let the server go."""
        await self._batcher.close()
        await self._connection.close()

    async def _read(self, request: Callable[[], Any]) -> Any:
        return await self._connection.call(self._settings.read_seconds, request)

    async def _write(self, request: Callable[[], Any]) -> Any:
        return await self._connection.call(self._settings.write_seconds, request)

    async def _write_all(self, writes: Sequence[Write]) -> list[_Result]:
        """Apply ``writes``; when it returns, those without an error are acknowledged."""
        results: list[_Result] = [True] * len(writes)
        for turn in _turns([write.key for write in writes]):
            of_turn = await self._apply([writes[position] for position in turn])
            for position, result in zip(turn, of_turn, strict=True):
                results[position] = result
        return results

    async def _apply(self, writes: Sequence[Write]) -> list[_Result]:
        """Apply ``writes`` of different keys: read what is patched, put, delete."""
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
        """The stored vectors of ``keys``, without the keys that are not there."""
        by_id = {index_id(key): key for key in keys}
        reply = await self._read(
            lambda: self._objects.query.fetch_objects_by_ids(
                list(by_id), limit=len(by_id), include_vector=True, return_properties=[]
            )
        )
        return {by_id[each.uuid]: _vector(each) for each in reply.objects}

    async def _put(
        self, objects: Sequence[tuple[str, Vector, IndexedAttributes]]
    ) -> dict[str, _Result]:
        """Write whole objects; by key the errors of those that were refused."""
        batch = [
            DataObject(
                uuid=index_id(key),
                properties=to_properties(key, attributes),
                vector=vector,  # type: ignore[arg-type]
            )
            for key, vector, attributes in objects
        ]

        async def insert() -> dict[int, str]:
            """Why each refused object was refused."""
            try:
                reply = await self._objects.data.insert_many(batch)
            except WeaviateInsertManyAllFailedError as error:
                # All their reasons in one text.
                return dict.fromkeys(range(len(batch)), error.message)
            return {position: error.message for position, error in reply.errors.items()}

        errors = {
            position: explained_refusal(message)
            for position, message in (await self._write(insert)).items()
        }
        if len(errors) == len(batch) > 1 and isinstance(errors[0], ValueError):
            return {
                key: error for one in objects for key, error in (await self._put([one])).items()
            }
        return {objects[position][0]: error for position, error in errors.items()}

    async def _remove(self, keys: Sequence[str]) -> None:
        ids = [index_id(key) for key in keys]
        reply = await self._write(
            lambda: self._objects.data.delete_many(Filter.by_id().contains_any(ids))
        )
        if reply.failed:
            # Which ones and why it does not say; deleting again is harmless.
            raise Unavailable(
                f"weaviate: {reply.failed} of {reply.matches} objects were not deleted; is it "
                "read-only, or short of disk?",
                reason="weaviate-write",
            )


def _turns(keys: Sequence[str]) -> list[list[int]]:
    """Positions of ``keys``, so that no key comes twice in one turn and each keeps its order."""
    turns: list[list[int]] = []
    seen: Counter[str] = Counter()
    for position, key in enumerate(keys):
        if seen[key] == len(turns):
            turns.append([])
        turns[seen[key]].append(position)
        seen[key] += 1
    return turns


def _vector(stored: Any) -> Vector:
    return np.asarray(stored.vector[VECTOR], dtype=np.float32)


def _candidate(stored: Any, similarity: float) -> Candidate:
    key, attributes = from_properties(stored.properties)
    return Candidate(key, similarity, attributes, _vector(stored))
