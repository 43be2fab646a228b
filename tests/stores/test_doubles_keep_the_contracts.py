"""The in-memory doubles that other tests trust keep the same promises as the real parts."""

from __future__ import annotations

import pytest
from cache_contract import CacheContract, ClaimsContract
from doubles import (
    InMemoryCache,
    InMemoryClaims,
    InMemoryIndex,
    InMemoryLedger,
    InMemoryThumbnails,
)
from ledger_contract import LedgerContract
from thumbnails_contract import ThumbnailsContract
from vector_store_contract import VectorStoreContract


class TestInMemoryIndex(VectorStoreContract):
    @pytest.fixture
    def open_store(self):
        only = InMemoryIndex()

        async def open_store():
            return only

        return open_store


class TestInMemoryLedger(LedgerContract):
    @pytest.fixture
    def open_ledger(self):
        only = InMemoryLedger()

        async def open_ledger():
            return only

        return open_ledger


class TestInMemoryThumbnails(ThumbnailsContract):
    @pytest.fixture
    def thumbnails(self):
        return InMemoryThumbnails()


class TestInMemoryCache(CacheContract):
    @pytest.fixture
    def cache(self):
        return InMemoryCache()


class TestInMemoryClaims(ClaimsContract):
    @pytest.fixture
    def claims(self):
        return InMemoryClaims()
