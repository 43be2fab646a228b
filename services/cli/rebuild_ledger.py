"""``looksync jobs rebuild-ledger``: a lost ledger, made again."""

from __future__ import annotations

import asyncio

from rich.console import Console

from dataflows.jobs.rebuild_ledger import rebuild
from schemas.settings import Settings

SHOWN_KEYS = 20


def rebuild_ledger(settings: Settings, console: Console) -> None:
    """Rebuild the lost ledger, and say what is in it and what is left to do."""
    rebuilt = asyncio.run(rebuild(settings))
    console.print(
        f"{rebuilt.changes:,} changes read: {rebuilt.products:,} products and "
        f"{rebuilt.tombstones:,} tombstones restored",
        highlight=False,
    )
    if rebuilt.not_indexed:
        console.print(
            f"{rebuilt.not_indexed:,} products are not in the index: the next packet of each "
            "embeds it again"
        )
    if rebuilt.known_by_index_only:
        console.print(
            f"{rebuilt.known_by_index_only:,} products are known by the index alone, without "
            "title, link and exact price: they match no price limit until their next upsert"
        )
    if doubtful := rebuilt.deleted_but_indexed:
        shown = ", ".join(doubtful[:SHOWN_KEYS])
        console.print(
            f"{len(doubtful):,} products were deleted, yet the index has them; they are not shown: "
            f"{shown}{', ...' if len(doubtful) > SHOWN_KEYS else ''}",
            markup=False,
            highlight=False,
        )
    console.print(
        f"Start the flows. To settle what packets without a change had brought, replay "
        f"{settings.topics.updates} from its start (docs/redis.md)."
    )
