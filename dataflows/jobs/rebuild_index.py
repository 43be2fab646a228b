"""``looksync jobs rebuild-index``: rebuild a lost index from the ledger and the thumbnails.

Until it ends, the ledger describes no index at all, and the flows refuse to start: an interrupted
rebuild leaves no half index that looks complete.
"""

from __future__ import annotations

from datetime import UTC, datetime

from dataflows.wiring.parts import open_index_repair
from operators.catalog.reindex import Reindexed, rebuild_index
from operators.stores.redis.index_identity import describe_index, describe_none
from operators.stores.redis.ledger_identity import accept_index
from schemas.settings import Settings


async def rebuild(settings: Settings) -> Reindexed:
    """Rebuild the index that the settings name; it is created when missing.

    Raises Misconfigured or Unavailable; it may then be run again.
    """
    async with open_index_repair(settings) as parts:
        await describe_none(parts.client)
        rebuilt = await rebuild_index(
            parts.backfill, parts.schedule, settings.stream.catalog.window, datetime.now(UTC)
        )
        generation = parts.backfill.index.generation
        await accept_index(parts.client, generation)
        await describe_index(parts.client, generation)
    return rebuilt
