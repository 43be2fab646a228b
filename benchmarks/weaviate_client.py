"""Our vector store compared with the bare Weaviate client on the same server.

    python -m benchmarks.weaviate_client [PRODUCTS] [ROUNDS]

Upserts: the bare client sends batches one after another; ours receives single calls and forms
batches of the same size. Both replace the same objects with new vectors. Searches: forty products
with their vectors under a filter, four concurrently; ours also orders ties and builds candidates.
The two alternate. Targets: ours / bare >= 0.9.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import replace
from statistics import median

import numpy as np
from numpy.typing import NDArray
from weaviate.classes.data import DataObject
from weaviate.classes.query import Filter, MetadataQuery

from benchmarks.weaviate_node import clustered, weaviate_node
from operators.ports import Filters, IndexedAttributes
from operators.stores.weaviate.aliases import target_of
from operators.stores.weaviate.connection import WeaviateConnection
from operators.stores.weaviate.index import WeaviateIndex
from operators.stores.weaviate.objects import to_properties
from schemas.ids import index_id
from schemas.settings import IndexSettings

DIMENSION = 512
SEARCHES = 200
AT_ONCE = 4
LIMIT = 40

PRODUCT = IndexedAttributes(
    department="top",
    category="t-shirt",
    gender="female",
    colour="navy",
    pattern="solid",
    brand="zari",
    market="IN",
    sizes=("ALPHA:M", "UK:8"),
    in_stock=True,
    price_bucket=12,
    currency="INR",
    style="zari:1",
    image_hash="00ff",
)
WANTED = Filters(market="IN", genders=frozenset({"female", "unisex"}))


class Bare:
    """The same work with the client library alone."""

    def __init__(self, server: WeaviateConnection, name: str, batch: int) -> None:
        self._objects = server.client.collections.use(name)
        self._batch = batch

    async def upsert(self, vectors: NDArray[np.float32]) -> None:
        for first in range(0, len(vectors), self._batch):
            await self._objects.data.insert_many(
                [
                    DataObject(
                        uuid=index_id(f"p:{n}"),
                        properties=to_properties(f"p:{n}", product(n)),
                        vector=vectors[n],
                    )
                    for n in range(first, min(len(vectors), first + self._batch))
                ]
            )

    async def search(self, query: NDArray[np.float32]) -> int:
        reply = await self._objects.query.near_vector(
            query.tolist(),
            filters=Filter.all_of(
                [
                    Filter.by_property("market").equal("IN"),
                    Filter.by_property("in_stock").equal(1),
                    Filter.by_property("gender").contains_any(["?", "female", "unisex"]),
                ]
            ),
            limit=LIMIT,
            include_vector=True,
            return_metadata=MetadataQuery(distance=True),
        )
        return len(reply.objects)


class Ours:
    def __init__(self, index: WeaviateIndex) -> None:
        self._index = index

    async def upsert(self, vectors: NDArray[np.float32]) -> None:
        await asyncio.gather(
            *(self._index.upsert(f"p:{n}", vector, product(n)) for n, vector in enumerate(vectors))
        )

    async def search(self, query: NDArray[np.float32]) -> int:
        return len(await self._index.search(query, WANTED, LIMIT))


def product(number: int) -> IndexedAttributes:
    market, gender = ("IN", "US")[number % 2], (None, "female", "male")[number % 3]
    return replace(PRODUCT, market=market, gender=gender, price_bucket=number % 30)


async def upserts_per_second(way: Bare | Ours, vectors: NDArray[np.float32]) -> float:
    started = time.perf_counter()
    await way.upsert(vectors)
    return len(vectors) / (time.perf_counter() - started)


async def searches_per_second(way: Bare | Ours, queries: NDArray[np.float32]) -> float:
    gate = asyncio.Semaphore(AT_ONCE)

    async def search(query: NDArray[np.float32]) -> None:
        async with gate:
            if await way.search(query) != LIMIT:
                raise SystemExit(f"a search found fewer than {LIMIT} products")

    started = time.perf_counter()
    await asyncio.gather(*(search(query) for query in queries))
    return len(queries) / (time.perf_counter() - started)


async def measure(settings: IndexSettings, many: int, rounds: int) -> None:
    server = await WeaviateConnection.open(settings)
    index = await WeaviateIndex.open(
        server, settings, fingerprint="benchmark", dimension=DIMENSION, model="none"
    )
    name = await target_of(server, settings.alias) or ""
    bare = Bare(server, name, settings.writes.max_size)
    ways: dict[str, Bare | Ours] = {"bare": bare, "ours": Ours(index)}
    upserts: dict[str, list[float]] = {way: [] for way in ways}
    searches: dict[str, list[float]] = {way: [] for way in ways}
    await bare.upsert(clustered(many, DIMENSION, 50)[0])
    for number in range(rounds):
        # The two take turns in going first.
        for name, way in sorted(ways.items(), reverse=bool(number % 2)):
            vectors, _ = clustered(many, DIMENSION, 50, seed=1 + 2 * number + (name == "ours"))
            upserts[name].append(await upserts_per_second(way, vectors))
            searches[name].append(await searches_per_second(way, vectors[:SEARCHES]))
    await index.close()
    await server.close()
    for what, rates in (("upserts/s", upserts), (f"searches/s of {LIMIT}", searches)):
        base, our = median(rates["bare"]), median(rates["ours"])
        print(f"{what:20} bare {base:>8.0f}   ours {our:>8.0f}   ours / bare {our / base:>6.2f}")


def main(many: int = 3_000, rounds: int = 5) -> None:
    with weaviate_node() as settings:
        asyncio.run(measure(settings, many, rounds))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
