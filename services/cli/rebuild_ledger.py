"""``looksync jobs rebuild-ledger``: rebuild a lost ledger and report on it."""

from __future__ import annotations

import asyncio

from rich.console import Console

from dataflows.jobs.rebuild_ledger import rebuild
from schemas.settings import Settings

SHOWN_KEYS = 20


def rebuild_ledger(settings: Settings, console: Console) -> None:
    """Rebuild the lost ledger, then print its contents and the next steps."""
    rebuilt = asyncio.run(rebuild(settings))
    console.print(
        f"{rebuilt.changes:,} changes read: {rebuilt.products:,} products and "
        f"{rebuilt.tombstones:,} tombstones restored",
        highlight=False,
    )
    if rebuilt.not_fashion:
        console.print(f"{rebuilt.not_fashion:,} products are not fashion and not in the index")
    if rebuilt.not_indexed:
        console.print(
            f"{rebuilt.not_indexed:,} products are not in the index: those with pictures are "
            "embedded once the flow runs"
        )
    if rebuilt.scheduled:
        console.print(f"{rebuilt.scheduled:,} products are scheduled for a refresh")
    if rebuilt.known_by_index_only:
        console.print(
            f"{rebuilt.known_by_index_only:,} products are known from the index only, without "
            "title, link and exact price: they match no price limit until their next upsert"
        )
    if doubtful := rebuilt.deleted_but_indexed:
        shown = ", ".join(doubtful[:SHOWN_KEYS])
        console.print(
            f"{len(doubtful):,} products were deleted but are still in the index; they are not "
            f"shown: {shown}{', ...' if len(doubtful) > SHOWN_KEYS else ''}",
            markup=False,
            highlight=False,
        )
    console.print(
        f"Start the flows. To restore the effect of packets that led to no change, replay "
        f"{settings.topics.updates} from its start (docs/redis.md)."
    )
