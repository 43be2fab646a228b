"""``looksync jobs rebuild-index``: rebuild a lost index and report on it."""

from __future__ import annotations

import asyncio

from rich.console import Console

from dataflows.jobs.rebuild_index import rebuild
from schemas.settings import Settings

SHOWN_KEYS = 20


def rebuild_index(settings: Settings, console: Console) -> None:
    """Rebuild the lost index, then print what it holds and what is left to do."""
    rebuilt = asyncio.run(rebuild(settings))
    console.print(
        f"{rebuilt.products:,} products are in the index: {rebuilt.embedded:,} embedded now, "
        f"{rebuilt.embedded_by_thumbnail:,} of them from their thumbnail",
        highlight=False,
    )
    if rebuilt.foreign:
        console.print(f"{rebuilt.foreign:,} products that the ledger does not have were removed")
    if lacking := rebuilt.without_picture:
        shown = ", ".join(lacking[:SHOWN_KEYS])
        console.print(
            f"{len(lacking):,} products have neither thumbnail nor picture; the catalog flow goes "
            f"on asking for it: {shown}{', ...' if len(lacking) > SHOWN_KEYS else ''}",
            markup=False,
            highlight=False,
        )
    console.print("Start the flows.")
