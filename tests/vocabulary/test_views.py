"""A product as it is published: the same on catalog.changes and on looks.matched."""

from __future__ import annotations

import pytest

from operators.vocabulary.views import product_of
from schemas.catalog import LedgerEntry


def test_a_patched_product_bears_the_version_of_its_newest_patch() -> None:
    entry = LedgerEntry(key="zari:1", version=1, patched={"price": 5, "title": 3})
    assert product_of(entry).version == 5


def test_an_unpatched_product_bears_the_version_of_its_upsert() -> None:
    assert product_of(LedgerEntry(key="zari:1", version=4)).version == 4


def test_a_deleted_product_cannot_be_published() -> None:
    with pytest.raises(ValueError, match="no such product"):
        product_of(LedgerEntry(key="zari:1", version=1, deleted_version=2))
