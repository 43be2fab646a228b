"""When a cached result is served, and when it is stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from operators.matching.parts import MatchParts
from operators.matching.result_cache import lookup, store
from operators.vocabulary.views import product_of
from schemas.attributes import Department
from schemas.catalog import LedgerEntry
from schemas.errors import LedgerLost, LookSyncError, Unavailable, UnreadableEntry
from schemas.looks import LayerMatch, LookMatches, MatchedProduct
from tests.doubles import InMemoryCache, InMemoryLedger
from tests.matching.painted import add_product

KEY = "looks.matched/key"


class Broken(InMemoryCache):
    """Does not answer."""

    async def get(self, key: str) -> bytes | None:
        raise Unavailable("away")

    async def put(self, key: str, value: bytes, ttl_seconds: float) -> None:
        raise Unavailable("away")


class BrokenLedger(InMemoryLedger):
    def __init__(self, error: LookSyncError) -> None:
        super().__init__()
        self._error = error

    async def read_many(
        self, keys: Sequence[str], on_unreadable: Callable[[UnreadableEntry], None]
    ) -> list[LedgerEntry | None]:
        raise self._error


@pytest.fixture
def cache() -> InMemoryCache:
    return InMemoryCache()


@pytest.fixture
async def shop(empty_shop: MatchParts, cache: InMemoryCache) -> MatchParts:
    """Two shirts, and a cache."""
    shop = replace(empty_shop, cache=cache)
    for key in ("a:1", "a:2"):
        await add_product(shop.index, shop.ledger, key, "red top striped shirt white stripes")
    return shop


async def result(shop: MatchParts, degraded: tuple[str, ...] = ()) -> LookMatches:
    """One layer with both shirts."""
    now = datetime.now(UTC)
    products = []
    for rank, key in enumerate(("a:1", "a:2"), start=1):
        entry = await shop.ledger.read(key)
        assert entry is not None
        products.append(
            MatchedProduct(rank=rank, score=1, similarity=1, product=product_of(entry, now))
        )
    return LookMatches(
        event_id=uuid4(),
        look_id="look",
        layers=(LayerMatch(layer=Department.TOP, query="shirt", products=tuple(products)),),
        degraded=degraded,
        models={},
        index_generation="one",
        timings_ms={},
        matched_at=now,
    )


def with_cache_seconds(shop: MatchParts, seconds: float) -> MatchParts:
    settings = shop.settings.model_copy(update={"cache_seconds": seconds})
    return replace(shop, settings=settings)


async def test_a_stored_result_is_served_while_nothing_has_changed(
    shop: MatchParts, cache: InMemoryCache
) -> None:
    stored = await result(shop)
    assert await lookup(KEY, shop) is None
    await store(KEY, stored, shop)
    assert await lookup(KEY, shop) == stored
    assert await lookup("another key", shop) is None
    assert cache.ttl_seconds == {KEY: shop.settings.cache_seconds}


async def test_a_change_of_any_product_invalidates_the_result(shop: MatchParts) -> None:
    await store(KEY, await result(shop), shop)
    entry = await shop.ledger.read("a:2")
    assert entry is not None
    deleted = entry.model_copy(update={"deleted_version": 2})
    sold_out = entry.model_copy(update={"update": entry.update.model_copy(update={"stock": 0})})
    for changed in (deleted, sold_out):
        await shop.ledger.write(changed)
        assert await lookup(KEY, shop) is None
    await shop.ledger.write(entry)
    assert await lookup(KEY, shop) is not None


async def test_a_product_that_the_ledger_lacks_invalidates_the_result(shop: MatchParts) -> None:
    await store(KEY, await result(shop), shop)
    assert await lookup(KEY, replace(shop, ledger=InMemoryLedger())) is None


async def test_without_a_time_to_live_nothing_is_cached(
    shop: MatchParts, cache: InMemoryCache
) -> None:
    stored = await result(shop)
    await store(KEY, stored, with_cache_seconds(shop, 0))
    assert cache.values == {}
    await store(KEY, stored, shop)
    assert await lookup(KEY, with_cache_seconds(shop, 0)) is None
    assert await lookup(KEY, with_cache_seconds(shop, 1)) == stored


async def test_without_a_cache_nothing_is_served(shop: MatchParts) -> None:
    uncached = replace(shop, cache=None)
    await store(KEY, await result(shop), uncached)
    assert await lookup(KEY, uncached) is None


async def test_a_degraded_result_is_not_stored(shop: MatchParts, cache: InMemoryCache) -> None:
    await store(KEY, await result(shop, ("rerank:deadline",)), shop)
    assert cache.values == {}


async def test_without_an_answer_from_the_cache_nothing_is_served(shop: MatchParts) -> None:
    broken = replace(shop, cache=Broken())
    await store(KEY, await result(shop), broken)
    assert await lookup(KEY, broken) is None


async def test_a_result_of_another_version_is_ignored(
    shop: MatchParts, cache: InMemoryCache
) -> None:
    cache.values[KEY] = b'{"layers": "of another version"}'
    assert await lookup(KEY, shop) is None


@pytest.mark.parametrize(
    "error", [Unavailable("away"), LedgerLost("emptied", reason="ledger-lost")]
)
async def test_without_the_ledger_a_result_is_not_served(
    shop: MatchParts, error: LookSyncError
) -> None:
    """Online looks are then matched again; those of the stream are retried."""
    await store(KEY, await result(shop), shop)
    online = replace(shop, ledger=BrokenLedger(error), require_ledger=False)
    assert await lookup(KEY, online) is None
    with pytest.raises(type(error)):
        await lookup(KEY, replace(online, require_ledger=True))
