"""The contract of every VectorStore that can be lost. A subclass's module provides the fixture
``open_store``, as in vector_store_contract.py, and the class ``lose_store``, which removes what is
stored, as a wiped volume does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from operators.ports import VectorStore
from schemas.errors import IndexLost
from tests.indexed_products import ALL, PLAIN, vector
from tests.vector_store_contract import OpenStore

LoseStore = Callable[[], Awaitable[None]]


class LossContract:
    """A store that is lost while it is open."""

    async def test_every_use_of_a_lost_store_says_so(
        self, open_store: OpenStore, lose_store: LoseStore
    ) -> None:
        store = await open_store()
        await store.upsert("zari:1", vector(1), PLAIN)
        await lose_store()
        await self.expect_lost(store)

    async def test_a_store_that_another_process_creates_anew_is_another_one(
        self, open_store: OpenStore, lose_store: LoseStore
    ) -> None:
        store = await open_store()
        await store.upsert("zari:1", vector(1), PLAIN)
        await lose_store()
        again = await open_store()
        await self.expect_lost(store)
        assert await again.search(vector(1), ALL, 5) == []
        await again.upsert("zari:2", vector(2), PLAIN)
        assert [key async for key, _ in again.scan()] == ["zari:2"]

    async def expect_lost(self, store: VectorStore) -> None:
        for use in (
            lambda: store.search(vector(1), ALL, 5),
            lambda: store.get("zari:1"),
            lambda: store.upsert("zari:1", vector(1), PLAIN),
            lambda: store.patch("zari:1", PLAIN),
            lambda: store.delete("zari:1"),
            store.count,
        ):
            with pytest.raises(IndexLost, match="looksync jobs rebuild-index") as lost:
                await use()
            assert lost.value.reason == "index-lost"
