"""Ledger entries in each state that a decision distinguishes."""

from __future__ import annotations

from datetime import UTC, datetime

from schemas.catalog import Decision, LedgerEntry, ProductUpdate
from tests.catalog.small_shop import KEY, RED

MODEL = "model-a"
MODELS = frozenset({MODEL})
NOW = datetime(2026, 1, 1, tzinfo=UTC)

ALIVE = LedgerEntry(
    key=KEY,
    version=5,
    update=ProductUpdate(title="Kurta", stock=3, image_urls=(RED,)),
    indexed=True,
    model=MODEL,
    last_position="p/0/1",
    last_decision=Decision.CREATED,
    changed_at=NOW,
)
PATCHED = ALIVE.model_copy(update={"patched": {"stock": 7}})
DELETED = LedgerEntry(
    key=KEY,
    deleted_version=5,
    last_position="p/0/2",
    last_decision=Decision.DELETED,
    changed_at=NOW,
)
UNKNOWN = LedgerEntry(key=KEY, version_unknown=True, indexed=True, model=MODEL)
HELD = LedgerEntry(key=KEY, patched={"stock": 5}, update=ProductUpdate(stock=9))
