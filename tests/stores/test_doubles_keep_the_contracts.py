"""The in-memory doubles satisfy the same contracts as the real stores."""

from __future__ import annotations

import pytest

from tests.doubles import (
    InMemoryCache,
    InMemoryClaims,
    InMemoryIndex,
    InMemoryLedger,
    InMemorySchedule,
    InMemoryThumbnails,
)
from tests.stores.cache_contract import CacheContract, ClaimsContract
from tests.stores.ledger_contract import LedgerContract, OpenLedger
from tests.stores.schedule_contract import ScheduleContract
from tests.stores.thumbnails_contract import ThumbnailsContract
from tests.vector_store_contract import OpenStore, VectorStoreContract


class TestInMemoryIndex(VectorStoreContract):
    @pytest.fixture
    def open_store(self) -> OpenStore:
        only = InMemoryIndex()

        async def open_store() -> InMemoryIndex:
            return only

        return open_store


class TestInMemoryLedger(LedgerContract):
    @pytest.fixture
    def open_ledger(self) -> OpenLedger:
        only = InMemoryLedger()

        async def open_ledger() -> InMemoryLedger:
            return only

        return open_ledger


class TestInMemoryThumbnails(ThumbnailsContract):
    @pytest.fixture
    def thumbnails(self) -> InMemoryThumbnails:
        return InMemoryThumbnails()


class TestInMemoryCache(CacheContract):
    @pytest.fixture
    def cache(self) -> InMemoryCache:
        return InMemoryCache()


class TestInMemorySchedule(ScheduleContract):
    @pytest.fixture
    def schedule(self) -> InMemorySchedule:
        return InMemorySchedule()


class TestInMemoryClaims(ClaimsContract):
    @pytest.fixture
    def claims(self) -> InMemoryClaims:
        return InMemoryClaims()
