"""``looksync jobs rebuild-ledger``: rebuild a lost ledger from catalog.changes and the index.

The ledger's identity is removed first and written last. A ledger without identity is refused by the
flows, so none runs during a rebuild or on the result of an interrupted one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import structlog

from dataflows.steps import parse
from dataflows.wiring.parts import open_ledger_repair
from dataflows.wiring.topics import open_topic
from operators.catalog.rebuild import Rebuilt, rebuild_ledger
from operators.stores.redis.index_identity import describe_index
from operators.stores.redis.ledger_identity import LedgerIdentity, delete_identity, write_identity
from schemas.catalog import ProductChange
from schemas.errors import InvalidRecord
from schemas.settings import Settings

log = structlog.get_logger()


async def rebuild(settings: Settings) -> Rebuilt:
    """Rebuild the ledger that the settings name.

    Raises Misconfigured or Unavailable; it may then be run again.
    """
    async with open_ledger_repair(settings) as parts:
        await delete_identity(parts.client)
        rebuilt = await rebuild_ledger(_changes(settings), parts.rebuild, datetime.now(UTC))
        generation = parts.rebuild.index.generation
        await describe_index(parts.client, generation)
        await write_identity(parts.client, LedgerIdentity.new(rebuilt_for=generation))
    return rebuilt


def _changes(settings: Settings) -> Iterator[ProductChange]:
    """Everything on catalog.changes, partition by partition; invalid records are skipped."""
    changes = open_topic(settings.topics, settings.topics.changes)
    for partition in range(changes.partitions):
        for record in changes.read(partition):
            try:
                yield parse(ProductChange, record)
            except InvalidRecord as error:
                log.warning(
                    "invalid change skipped", position=str(record.position), error=str(error)
                )
