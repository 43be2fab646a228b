"""The contract of every VectorStore. A subclass provides the fixture ``open_store``.

``open_store()`` opens the one store of the test; opened again, it holds what was stored before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from operators.ports import Candidate, Filters, IndexedAttributes, Vector, VectorStore
from tests.doubles import InMemoryIndex
from tests.indexed_products import ALL, BARE, DIMENSION, PLAIN, vector

# Few values each, so that filters often match attributes; some need escaping in SQL or could be
# split by a tokeniser.
brands = st.sampled_from(["zari", "o'neill", "h&m", "100%", "ユニクロ", "a b"])
sizes = st.sampled_from(["ALPHA:M", "ALPHA:L", "UK:8", "CM:25.5"])
departments = st.sampled_from(["top", "bottom", "dress"])
markets = st.sampled_from(["IN", "US"])
genders = st.sampled_from(["female", "male", "unisex"])
colours = st.sampled_from(["red", "navy", "white"])
currencies = st.sampled_from(["INR", "USD"])
buckets = st.integers(0, 6)

attributes = st.builds(
    IndexedAttributes,
    department=st.none() | departments,
    category=st.none() | st.just("t-shirt"),
    gender=st.none() | genders,
    colour=st.none() | colours,
    pattern=st.none() | st.just("solid"),
    brand=st.none() | brands,
    market=st.none() | markets,
    sizes=st.lists(sizes, max_size=3, unique=True).map(tuple),
    in_stock=st.booleans(),
    price_bucket=st.none() | buckets,
    currency=st.none() | currencies,
    style=st.none() | st.just("zari:1"),
    image_hash=st.just("00ff"),
)
filters = st.builds(
    Filters,
    department=st.none() | departments,
    market=st.none() | markets,
    genders=st.frozensets(genders, max_size=2),
    colours=st.frozensets(colours, max_size=2),
    brands=st.frozensets(brands, max_size=3),
    excluded_brands=st.frozensets(brands, max_size=3),
    sizes=st.frozensets(sizes, max_size=2),
    in_stock=st.booleans(),
    price_buckets=st.none() | st.tuples(buckets, buckets).map(lambda pair: (min(pair), max(pair))),
    currency=st.none() | currencies,
)
keys = st.sampled_from([f"zari:{number}" for number in range(12)])


OpenStore = Callable[[], Awaitable[VectorStore]]


async def stored(store: VectorStore, key: str) -> Candidate:
    found = await store.get(key)
    assert found is not None
    return found


class VectorStoreContract:
    @pytest.fixture
    async def store(self, open_store: OpenStore) -> VectorStore:
        return await open_store()

    async def test_search_returns_attributes_and_vector(self, store: VectorStore) -> None:
        await store.upsert("zari:1", vector(1), PLAIN)
        (found,) = await store.search(vector(1), Filters(), 10)
        assert (found.key, found.attributes) == ("zari:1", PLAIN)
        assert found.similarity == pytest.approx(1.0, abs=1e-5)
        assert found.vector.dtype == np.float32
        np.testing.assert_allclose(found.vector, vector(1), atol=1e-6)

    async def test_get_returns_the_stored_object_or_none(self, store: VectorStore) -> None:
        await store.upsert("zari:1", vector(1), BARE)
        found = await stored(store, "zari:1")
        assert (found.key, found.similarity, found.attributes) == ("zari:1", 1.0, BARE)
        np.testing.assert_allclose(found.vector, vector(1), atol=1e-6)
        assert await store.get("zari:2") is None

    async def test_keys_may_have_any_script_and_punctuation(self, store: VectorStore) -> None:
        odd = ["kisetsu:商品-1", "zari:a'b\"c", "zari:%_*?[x]", "zari: ", "zari:" + "x" * 290]
        for number, key in enumerate(odd):
            await store.upsert(key, vector(number), PLAIN)
        assert {key async for key, _ in store.scan()} == set(odd)
        for number, key in enumerate(odd):
            (nearest,) = await store.search(vector(number), ALL, 1)
            assert nearest.key == key

    async def test_a_second_upsert_replaces_vector_and_attributes(self, store: VectorStore) -> None:
        await store.upsert("zari:1", vector("old"), PLAIN)
        await store.upsert("zari:1", vector("new"), BARE)
        (found,) = await store.search(vector("new"), ALL, 10)
        assert found.attributes == BARE
        assert found.similarity == pytest.approx(1.0, abs=1e-5)
        assert await store.count() == 1

    async def test_a_patch_replaces_the_attributes_and_keeps_the_vector(
        self, store: VectorStore
    ) -> None:
        await store.upsert("zari:1", vector(1), PLAIN)
        before = (await stored(store, "zari:1")).vector
        moved = replace(PLAIN, department="dress", market="US", in_stock=False, sizes=())
        assert await store.patch("zari:1", moved) is True
        after = await stored(store, "zari:1")
        assert after.attributes == moved
        assert after.vector.tobytes() == before.tobytes()
        assert [c.key for c in await store.search(vector(1), ALL, 5)] == ["zari:1"]
        dresses = Filters(department="dress", in_stock=False)
        assert [c.key for c in await store.search(vector(1), dresses, 5)] == ["zari:1"]
        assert await store.search(vector(1), Filters(department="top", in_stock=False), 5) == []

    async def test_a_patch_of_a_missing_key_creates_nothing(self, store: VectorStore) -> None:
        assert await store.patch("zari:1", PLAIN) is False
        assert await store.count() == 0

    async def test_a_patch_without_changes_returns_true(self, store: VectorStore) -> None:
        await store.upsert("zari:1", vector(1), PLAIN)
        assert await store.patch("zari:1", PLAIN) is True

    async def test_delete_is_idempotent(self, store: VectorStore) -> None:
        await store.upsert("zari:1", vector(1), PLAIN)
        await store.upsert("zari:2", vector(2), PLAIN)
        await store.delete("zari:1")
        await store.delete("zari:1")
        assert [c.key for c in await store.search(vector(1), ALL, 10)] == ["zari:2"]
        assert await store.get("zari:1") is None
        assert await store.count() == 1

    async def test_a_deleted_key_can_be_inserted_again(self, store: VectorStore) -> None:
        await store.upsert("zari:1", vector(1), PLAIN)
        await store.delete("zari:1")
        await store.upsert("zari:1", vector(2), BARE)
        (found,) = await store.search(vector(2), ALL, 10)
        assert (found.key, found.attributes) == ("zari:1", BARE)

    async def test_results_are_ordered_by_similarity_then_key(self, store: VectorStore) -> None:
        near = vector(1) + 0.1 * vector(2)
        near = (near / np.linalg.norm(near)).astype(np.float32)
        for key in ("zari:c", "zari:a", "zari:b"):
            await store.upsert(key, vector(1), PLAIN)
        await store.upsert("zari:0", near, PLAIN)
        found = await store.search(vector(1), Filters(), 10)
        assert [c.key for c in found] == ["zari:a", "zari:b", "zari:c", "zari:0"]
        assert found[3].similarity == pytest.approx(float(vector(1) @ near), abs=1e-5)
        assert [c.key for c in await store.search(vector(1), Filters(), 2)] == ["zari:a", "zari:b"]

    async def test_opposite_vectors_have_similarity_minus_one(self, store: VectorStore) -> None:
        await store.upsert("zari:1", -vector(1), PLAIN)
        (found,) = await store.search(vector(1), ALL, 5)
        assert found.similarity == pytest.approx(-1.0, abs=1e-5)

    async def test_an_empty_store_finds_nothing(self, store: VectorStore) -> None:
        assert await store.search(vector(1), ALL, 10) == []
        assert await store.count() == 0
        assert [key async for key, _ in store.scan()] == []

    async def test_concurrent_calls_on_many_keys(self, store: VectorStore) -> None:
        async def live(number: int) -> None:
            key = f"zari:{number}"
            await store.upsert(key, vector(number), PLAIN)
            (found,) = await store.search(vector(number), ALL, 1)
            assert found.key == key  # searchable once acknowledged
            assert await store.patch(key, replace(PLAIN, brand=f"brand-{number}"))
            if number % 3 == 0:
                await store.delete(key)

        await asyncio.gather(*(live(number) for number in range(60)))
        left = {key: a.brand async for key, a in store.scan()}
        assert left == {f"zari:{n}": f"brand-{n}" for n in range(60) if n % 3}
        assert await store.count() == 40

    @pytest.mark.parametrize(
        "bad",
        [
            vector(1)[:-1],
            np.zeros(DIMENSION, np.float32),
            2 * vector(1),
            np.full(DIMENSION, np.nan, np.float32),
        ],
        ids=["shape", "zero", "norm", "nan"],
    )
    async def test_an_invalid_vector_fails_only_its_own_write(
        self, store: VectorStore, bad: Vector
    ) -> None:
        results = await asyncio.gather(
            store.upsert("zari:1", vector(1), PLAIN),
            store.upsert("zari:2", bad, PLAIN),
            store.upsert("zari:3", vector(3), PLAIN),
            return_exceptions=True,
        )
        assert results[0] is None
        assert results[2] is None
        assert isinstance(results[1], ValueError)
        assert await store.count() == 2

    async def test_scan_returns_every_key_once(self, store: VectorStore) -> None:
        count = 1_100  # more than any page of a scan
        await asyncio.gather(
            *(store.upsert(f"zari:{number}", vector(number), PLAIN) for number in range(count))
        )
        scanned = [key async for key, _ in store.scan()]
        assert sorted(scanned) == sorted(f"zari:{number}" for number in range(count))

    async def test_acknowledged_writes_survive_reopening(self, open_store: OpenStore) -> None:
        store = await open_store()
        generation = store.generation
        await store.upsert("zari:1", vector(1), PLAIN)
        await store.upsert("zari:2", vector(2), BARE)
        await store.delete("zari:2")
        await store.close()
        again = await open_store()
        assert again.generation == generation
        assert [c.key for c in await again.search(vector(1), ALL, 10)] == ["zari:1"]
        assert (await stored(again, "zari:1")).attributes == PLAIN

    @settings(
        max_examples=60,
        deadline=None,
        # The examples share one store; each starts by emptying it.
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,
        ],
    )
    @given(
        steps=st.lists(
            st.tuples(
                st.sampled_from(["upsert", "upsert", "patch", "delete"]),
                keys,
                attributes,
                st.integers(0, 30),
            ),
            max_size=30,
        ),
        wanted=st.lists(filters, min_size=1, max_size=4),
        limit=st.integers(1, 15),
    )
    async def test_any_sequence_of_writes_matches_the_reference(
        self,
        store: VectorStore,
        steps: list[tuple[str, str, IndexedAttributes, int]],
        wanted: list[Filters],
        limit: int,
    ) -> None:
        """The reference is the in-memory double: a dict, and filters in plain Python."""
        reference: VectorStore = InMemoryIndex()
        for key in [key async for key, _ in store.scan()]:
            await store.delete(key)
        for what, key, values, seed in steps:
            for each in (store, reference):
                if what == "upsert":
                    await each.upsert(key, vector(seed), values)
                elif what == "patch":
                    await each.patch(key, values)
                else:
                    await each.delete(key)
        assert {k: a async for k, a in store.scan()} == {k: a async for k, a in reference.scan()}
        for restriction in wanted:
            found = await store.search(vector("query"), restriction, limit)
            expected = await reference.search(vector("query"), restriction, limit)
            assert [(c.key, c.attributes) for c in found] == [
                (c.key, c.attributes) for c in expected
            ]
            np.testing.assert_allclose(
                [c.similarity for c in found], [c.similarity for c in expected], atol=1e-5
            )
