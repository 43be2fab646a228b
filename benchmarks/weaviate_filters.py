"""Recall and speed of filtered searches in Weaviate, through our adapter.

    python -m benchmarks.weaviate_filters [PRODUCTS]

Measures recall@10 against exact search in numpy, and queries per second against the same queries
without a filter, at selectivities of 50, 10, 1 and 0.1 %. The passing products are spread evenly,
are the query's own department (a tenth of all), or, the hardest case, lie only in clusters far from
the query. Each case runs with Weaviate's flat-search cut-off (40,000 objects, so at this size every
filtered search is exact) and with the cut-off at 0, which forces graph traversal.
Targets: recall >= 0.95, filtered / unfiltered queries >= 0.5.

Finally compares filtering by market (a third of the products) with a separate index for that
market, as a tenant would have.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from weaviate.classes.config import Reconfigure

from benchmarks.weaviate_node import clustered, weaviate_node
from operators.ports import Filters, IndexedAttributes
from operators.stores.weaviate.aliases import target_of
from operators.stores.weaviate.connection import WeaviateConnection
from operators.stores.weaviate.index import WeaviateIndex
from schemas.settings import IndexSettings

DIMENSION = 128
CLUSTERS = 100
QUERIES = 300
AT_ONCE = 4
TEN = 10
SHARES = (0.5, 0.1, 0.01, 0.001)

MARKET = "33.3% a market"
EVERYTHING = Filters(in_stock=False)
PLAIN = IndexedAttributes(
    department=None,
    category=None,
    gender=None,
    colour=None,
    pattern=None,
    brand=None,
    market=None,
    sizes=(),
    in_stock=True,
    price_bucket=None,
    currency=None,
    style=None,
    image_hash="",
)


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    filters: Filters
    passing: NDArray[np.bool_]
    queries: NDArray[np.float32]


def cases(
    vectors: NDArray[np.float32], cluster: NDArray[np.int64], rng: np.random.Generator
) -> tuple[list[IndexedAttributes], list[Case]]:
    """Attributes of every product, and the searches: brands are spread over all clusters, colours
    over those with odd numbers, while the queries lie in the even ones."""
    share = rng.random(len(vectors))
    limits = np.cumsum((0.0, *SHARES))
    brand = np.searchsorted(limits, share, side="right") - 1  # the last is "none of them"
    odd = cluster % 2 == 1
    colour_share = rng.random(len(vectors)) / 2  # of all products, half of which are odd
    colour = np.where(odd, np.searchsorted(limits[1:] * 0.8, colour_share, side="right"), -1)
    attributes = [
        replace(PLAIN, brand=f"brand-{b}", colour=f"colour-{c}")
        for b, c in zip(brand, colour, strict=True)
    ]
    queries = near(vectors[~odd], rng)
    market = rng.integers(0, 3, len(vectors))
    attributes = [
        replace(each, department=f"d-{c % 10}", market=f"m-{m}")
        for each, c, m in zip(attributes, cluster, market, strict=True)
    ]
    every = np.ones(len(vectors), bool)
    wanted = [Case("no filter", EVERYTHING, every, queries)]
    for number, each in enumerate(SHARES):
        evenly = replace(EVERYTHING, brands=frozenset({f"brand-{number}"}))
        wanted.append(Case(f"{each:.1%} evenly", evenly, brand == number, queries))
    for number in range(len(SHARES)):
        apart = replace(EVERYTHING, colours=frozenset({f"colour-{number}"}))
        passing = colour == number
        wanted.append(Case(f"{passing.mean():.1%} elsewhere", apart, passing, queries))
    own = cluster % 10 == 0
    in_department = replace(EVERYTHING, department="d-0")
    wanted.append(Case("10.0% its own", in_department, own, near(vectors[own], rng)))
    wanted.append(Case(MARKET, replace(EVERYTHING, market="m-0"), market == 0, queries))
    return attributes, wanted


def near(vectors: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw unit queries near some of ``vectors``."""
    noise = 0.7 * rng.standard_normal((QUERIES, DIMENSION)) / DIMENSION**0.5
    drawn = vectors[rng.integers(0, len(vectors), QUERIES)] + noise
    unit = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return np.asarray(unit, dtype=np.float32)


async def fill(
    index: WeaviateIndex,
    numbers: NDArray[np.int64],
    vectors: NDArray[np.float32],
    attributes: Sequence[IndexedAttributes],
) -> float:
    """Upsert the products; return upserts per second."""
    started = time.perf_counter()
    for first in range(0, len(numbers), 2_048):
        await asyncio.gather(
            *(
                index.upsert(f"p:{n}", vectors[n], attributes[n])
                for n in numbers[first : first + 2_048]
            )
        )
    return len(numbers) / (time.perf_counter() - started)


def exact(vectors: NDArray[np.float32], case: Case) -> list[set[str]]:
    among = np.flatnonzero(case.passing)
    order = np.argsort(-(case.queries @ vectors[among].T), axis=1)[:, :TEN]
    return [{f"p:{among[position]}" for position in row} for row in order]


async def run_searches(index: WeaviateIndex, case: Case) -> tuple[list[set[str]], float]:
    """Run the queries; return the keys found and queries per second."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def search(query: NDArray[np.float32]) -> set[str]:
        async with gate:
            return {c.key for c in await index.search(query, case.filters, TEN)}

    await search(case.queries[0])
    started = time.perf_counter()
    found = await asyncio.gather(*(search(query) for query in case.queries))
    return list(found), len(case.queries) / (time.perf_counter() - started)


def recall(found: Sequence[set[str]], true: Sequence[set[str]]) -> float:
    return float(np.mean([len(f & t) / len(t) for f, t in zip(found, true, strict=True)]))


async def measure(settings: IndexSettings, many: int) -> None:
    vectors, cluster = clustered(many, DIMENSION, CLUSTERS)
    attributes, wanted = cases(vectors, cluster, np.random.default_rng(1))
    server = await WeaviateConnection.open(settings)
    index = await WeaviateIndex.open(
        server, settings, fingerprint="benchmark", dimension=DIMENSION, model="none"
    )
    held = server.client.collections.use(await target_of(server, settings.alias) or "")
    rate = await fill(index, np.arange(many), vectors, attributes)
    print(f"{many:,} products, {rate:,.0f} upserts/s")
    print(f"{'':24}{'recall@10':>12}{'queries/s':>12}{'/ unfiltered':>14}")
    for cut_off in (40_000, 0):
        await held.config.update(
            vector_config=Reconfigure.Vectors.update(
                vector_index_config=Reconfigure.VectorIndex.hnsw(flat_search_cutoff=cut_off)
            )
        )
        print("flat search" if cut_off else "graph traversal")
        unfiltered = 0.0
        for case in wanted:
            found, rate = await run_searches(index, case)
            unfiltered = unfiltered or rate
            found_share = recall(found, exact(vectors, case))
            print(f"  {case.name:22}{found_share:>12.3f}{rate:>12.0f}{rate / unfiltered:>14.2f}")
    await index.close()
    of_market = wanted[-1]
    alone = await WeaviateIndex.open(
        server,
        settings.model_copy(update={"alias": f"{settings.alias}_M"}),
        fingerprint="benchmark",
        dimension=DIMENSION,
        model="none",
    )
    await fill(alone, np.flatnonzero(of_market.passing), vectors, attributes)
    by_itself = replace(of_market, filters=EVERYTHING)
    found, rate = await run_searches(alone, by_itself)
    share = recall(found, exact(vectors, by_itself))
    print(f"a separate index        {share:>12.3f}{rate:>12.0f}{rate / unfiltered:>14.2f}")
    await alone.close()
    await server.close()


def main(many: int = 30_000) -> None:
    with weaviate_node() as settings:
        asyncio.run(measure(settings, many))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
