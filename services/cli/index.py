"""``looksync index``: the vector index by hand."""

from __future__ import annotations

from rich.console import Console

from dataflows.wiring.parts import open_index
from schemas.settings import Settings


async def create_index(settings: Settings, console: Console) -> None:
    """Make the index when there is none. Raises IndexMismatch when it is another encoder's."""
    async with open_index(settings) as index:
        console.print(f"{index.generation}: {await index.count():,} products", highlight=False)
