"""A product as it is published: the same on catalog.changes and on looks.matched."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from operators.vocabulary.views import product_of
from schemas.catalog import LedgerEntry

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_patched_product_has_the_version_of_its_newest_patch() -> None:
    entry = LedgerEntry(key="zari:1", version=1, patched={"price": 5, "title": 3})
    assert product_of(entry, NOW).version == 5


def test_an_unpatched_product_has_the_version_of_its_upsert() -> None:
    assert product_of(LedgerEntry(key="zari:1", version=4), NOW).version == 4


def test_a_product_of_unknown_version_is_published_with_minus_one() -> None:
    entry = LedgerEntry(key="zari:1", version_unknown=True)
    assert product_of(entry, NOW).version == -1
    patched = entry.model_copy(update={"patched": {"price": 5}})
    assert product_of(patched, NOW).version == 5


def test_a_deleted_product_cannot_be_published() -> None:
    with pytest.raises(ValueError, match="does not exist"):
        product_of(LedgerEntry(key="zari:1", version=1, deleted_version=2), NOW)
