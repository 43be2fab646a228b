"""``looksync index``: create the vector index."""

from __future__ import annotations

from rich.console import Console

from dataflows.wiring.parts import open_index
from schemas.settings import Settings


async def create_index(settings: Settings, console: Console) -> None:
    """Create the index if there is none. Raises IndexMismatch when it has another encoder."""
    async with open_index(settings) as index:
        console.print(f"{index.generation}: {await index.count():,} products", highlight=False)
