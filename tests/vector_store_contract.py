"""What every VectorStore promises. A subclass gives the fixture ``open_store``.

``open_store()`` opens the one store of the test, again with what was stored when it was closed;
``open_store(fingerprint=...)`` does so for another encoder.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from doubles import InMemoryIndex
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from indexed_products import ALL, BARE, DIMENSION, PLAIN, vector

from operators.ports import Filters, IndexedAttributes

# Few values each, so that filters and attributes meet often; texts that SQL or a tokeniser might
# mistake for something else.
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
    price_buckets=st.none() | st.tuples(buckets, buckets).map(lambda pair: tuple(sorted(pair))),
    currency=st.none() | currencies,
)
keys = st.sampled_from([f"zari:{number}" for number in range(12)])


class VectorStoreContract:
    @pytest.fixture
    async def store(self, open_store):
        return await open_store()

    async def test_what_was_put_is_found_with_its_attributes_and_vector(self, store):
        await store.upsert("zari:1", vector(1), PLAIN)
        (found,) = await store.search(vector(1), Filters(), 10)
        assert (found.key, found.attributes) == ("zari:1", PLAIN)
        assert found.similarity == pytest.approx(1.0, abs=1e-5)
        assert found.vector.dtype == np.float32
        np.testing.assert_allclose(found.vector, vector(1), atol=1e-6)

    async def test_get_gives_the_stored_object_or_none(self, store):
        await store.upsert("zari:1", vector(1), BARE)
        found = await store.get("zari:1")
        assert (found.key, found.similarity, found.attributes) == ("zari:1", 1.0, BARE)
        np.testing.assert_allclose(found.vector, vector(1), atol=1e-6)
        assert await store.get("zari:2") is None

    async def test_keys_of_any_script_and_punctuation(self, store):
        odd = ["kisetsu:商品-1", "zari:a'b\"c", "zari:%_*?[x]", "zari: ", "zari:" + "x" * 290]
        for number, key in enumerate(odd):
            await store.upsert(key, vector(number), PLAIN)
        assert {key async for key, _ in store.scan()} == set(odd)
        for number, key in enumerate(odd):
            (nearest,) = await store.search(vector(number), ALL, 1)
            assert nearest.key == key

    async def test_a_second_upsert_replaces_vector_and_attributes(self, store):
        await store.upsert("zari:1", vector("old"), PLAIN)
        await store.upsert("zari:1", vector("new"), BARE)
        (found,) = await store.search(vector("new"), ALL, 10)
        assert found.attributes == BARE
        assert found.similarity == pytest.approx(1.0, abs=1e-5)
        assert await store.count() == 1

    async def test_a_patch_replaces_the_attributes_and_leaves_the_vector(self, store):
        await store.upsert("zari:1", vector(1), PLAIN)
        before = (await store.get("zari:1")).vector
        moved = replace(PLAIN, department="dress", market="US", in_stock=False, sizes=())
        assert await store.patch("zari:1", moved) is True
        after = await store.get("zari:1")
        assert after.attributes == moved
        assert after.vector.tobytes() == before.tobytes()
        assert [c.key for c in await store.search(vector(1), ALL, 5)] == ["zari:1"]
        dresses = Filters(department="dress", in_stock=False)
        assert [c.key for c in await store.search(vector(1), dresses, 5)] == ["zari:1"]
        assert await store.search(vector(1), Filters(department="top", in_stock=False), 5) == []

    async def test_a_patch_of_a_key_that_is_not_there_makes_nothing(self, store):
        assert await store.patch("zari:1", PLAIN) is False
        assert await store.count() == 0

    async def test_a_patch_that_changes_nothing_still_finds_its_key(self, store):
        await store.upsert("zari:1", vector(1), PLAIN)
        assert await store.patch("zari:1", PLAIN) is True

    async def test_delete_removes_and_may_be_repeated(self, store):
        await store.upsert("zari:1", vector(1), PLAIN)
        await store.upsert("zari:2", vector(2), PLAIN)
        await store.delete("zari:1")
        await store.delete("zari:1")
        assert [c.key for c in await store.search(vector(1), ALL, 10)] == ["zari:2"]
        assert await store.get("zari:1") is None
        assert await store.count() == 1

    async def test_a_deleted_key_can_come_back(self, store):
        await store.upsert("zari:1", vector(1), PLAIN)
        await store.delete("zari:1")
        await store.upsert("zari:1", vector(2), BARE)
        (found,) = await store.search(vector(2), ALL, 10)
        assert (found.key, found.attributes) == ("zari:1", BARE)

    async def test_the_best_come_first_and_equals_by_key(self, store):
        near = vector(1) + 0.1 * vector(2)
        near = (near / np.linalg.norm(near)).astype(np.float32)
        for key in ("zari:c", "zari:a", "zari:b"):
            await store.upsert(key, vector(1), PLAIN)
        await store.upsert("zari:0", near, PLAIN)
        found = await store.search(vector(1), Filters(), 10)
        assert [c.key for c in found] == ["zari:a", "zari:b", "zari:c", "zari:0"]
        assert found[3].similarity == pytest.approx(float(vector(1) @ near), abs=1e-5)
        assert [c.key for c in await store.search(vector(1), Filters(), 2)] == ["zari:a", "zari:b"]

    async def test_opposite_vectors_are_found_too(self, store):
        await store.upsert("zari:1", -vector(1), PLAIN)
        (found,) = await store.search(vector(1), ALL, 5)
        assert found.similarity == pytest.approx(-1.0, abs=1e-5)

    async def test_an_empty_store_finds_nothing(self, store):
        assert await store.search(vector(1), ALL, 10) == []
        assert await store.count() == 0
        assert [key async for key, _ in store.scan()] == []

    async def test_concurrent_calls_on_many_keys(self, store):
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
    async def test_a_vector_that_breaks_the_contract_fails_alone(self, store, bad):
        results = await asyncio.gather(
            store.upsert("zari:1", vector(1), PLAIN),
            store.upsert("zari:2", bad, PLAIN),
            store.upsert("zari:3", vector(3), PLAIN),
            return_exceptions=True,
        )
        assert results[0] is results[2] is None
        assert isinstance(results[1], ValueError)
        assert await store.count() == 2

    async def test_scan_gives_every_key_once(self, store):
        count = 1_100  # more than any page of a scan
        await asyncio.gather(
            *(store.upsert(f"zari:{number}", vector(number), PLAIN) for number in range(count))
        )
        scanned = [key async for key, _ in store.scan()]
        assert sorted(scanned) == sorted(f"zari:{number}" for number in range(count))

    async def test_what_was_acknowledged_is_there_after_reopening(self, open_store):
        store = await open_store()
        generation = store.generation
        await store.upsert("zari:1", vector(1), PLAIN)
        await store.upsert("zari:2", vector(2), BARE)
        await store.delete("zari:2")
        await store.close()
        again = await open_store()
        assert again.generation == generation
        assert [c.key for c in await again.search(vector(1), ALL, 10)] == ["zari:1"]
        assert (await again.get("zari:1")).attributes == PLAIN

    @settings(
        max_examples=60,
        deadline=None,
        # One store per test and one test per store: both are meant.
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
    async def test_any_life_leaves_what_brute_force_finds(self, store, steps, wanted, limit):
        """The reference is the double: a dict, and a filter in plain Python."""
        reference = InMemoryIndex()
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
        for each in wanted:
            found = await store.search(vector("query"), each, limit)
            expected = await reference.search(vector("query"), each, limit)
            assert [(c.key, c.attributes) for c in found] == [
                (c.key, c.attributes) for c in expected
            ]
            np.testing.assert_allclose(
                [c.similarity for c in found], [c.similarity for c in expected], atol=1e-5
            )
