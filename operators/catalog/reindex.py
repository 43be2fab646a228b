"""Rebuild a lost index from the ledger and the thumbnails, while no catalog flow runs.

The ledger says which products belong into the index, and with which attributes; only the vectors
are gone. They come from the thumbnails, because those are near and the vendors' servers are not; a
product without a thumbnail is embedded from its picture. One with neither is marked as not indexed
and due for a refresh, so that the catalog flow goes on asking for its picture
(docs/decisions/143).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from operators.catalog.backfill import BackfillParts, Pass, backfill
from operators.ports import RefreshSchedule
from schemas.catalog import LedgerEntry


@dataclass(slots=True)
class Reindexed:
    """The result of a rebuild, in products."""

    passes: list[Pass] = field(default_factory=list)
    foreign: int = 0
    """Were in the index, but are unknown to the ledger or not indexed according to it; deleted."""

    @property
    def products(self) -> int:
        """In the index now."""
        return self.passes[-1].products - len(self.without_picture)

    @property
    def embedded(self) -> int:
        return sum(each.embedded for each in self.passes)

    @property
    def embedded_by_thumbnail(self) -> int:
        return sum(each.embedded_by_thumbnail for each in self.passes)

    @property
    def without_picture(self) -> list[str]:
        """Keys of products with neither picture nor thumbnail; due for a refresh."""
        return self.passes[-1].without_picture


async def rebuild_index(
    parts: BackfillParts, schedule: RefreshSchedule, window: int, now: datetime
) -> Reindexed:
    """Make the index equal to the ledger, ``window`` products at a time; it may be repeated.

    Raises Unavailable when a store or model stays unreachable for ten minutes.
    """
    rebuilt = Reindexed()
    async for key, _ in parts.index.scan():
        entry = await parts.ledger.read(key)
        if entry is None or not (entry.exists and entry.indexed):
            await parts.index.delete(key)
            rebuilt.foreign += 1
    while not rebuilt.passes or rebuilt.passes[-1].writes:
        rebuilt.passes.append(await backfill(parts, window))
    lacking = frozenset(rebuilt.without_picture)
    async for entry in parts.ledger.scan():
        if entry.key in lacking:
            await parts.ledger.write(_not_indexed(entry))
            await schedule.set(entry.key, now)
        elif entry.indexed and entry.model != parts.encoder.fingerprint:
            # A rebuild is also how the embedded preset gets the index of another encoder.
            embedded = entry.model_copy(update={"model": parts.encoder.fingerprint})
            await parts.ledger.write(embedded)
    return rebuilt


def _not_indexed(entry: LedgerEntry) -> LedgerEntry:
    return entry.model_copy(update={"indexed": False, "model": None, "attributes_hash": None})
