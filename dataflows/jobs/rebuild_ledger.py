"""``looksync jobs rebuild-ledger``: a lost ledger from catalog.changes and the vector store.

The ledger's identity is taken away first and given anew last: meanwhile no flow runs on it, and one
that breaks off in the middle leaves a ledger that no flow takes for a whole one.
"""

from __future__ import annotations

from collections.abc import Iterator

import structlog

from dataflows.steps import parse
from dataflows.wiring.parts import open_ledger_repair
from dataflows.wiring.topics import open_topic
from operators.catalog.rebuild import Rebuilt, rebuild_ledger
from operators.stores.redis.ledger_identity import LedgerIdentity, forget_identity, write_identity
from schemas.catalog import ProductChange
from schemas.errors import InvalidRecord
from schemas.settings import Settings

log = structlog.get_logger()


async def rebuild(settings: Settings) -> Rebuilt:
    """Rebuild the ledger that the settings name. Raises Misconfigured or Unavailable; it may then
    be run again."""
    async with open_ledger_repair(settings) as parts:
        await forget_identity(parts.client)
        rebuilt = await rebuild_ledger(_changes(settings), parts.index, parts.ledger, parts.model)
        await write_identity(parts.client, LedgerIdentity.new(rebuilt_for=parts.index.generation))
    return rebuilt


def _changes(settings: Settings) -> Iterator[ProductChange]:
    """Everything on catalog.changes, partition by partition; what cannot be read is left out."""
    changes = open_topic(settings.topics, settings.topics.changes)
    for partition in range(changes.partitions):
        for record in changes.read(partition):
            try:
                yield parse(ProductChange, record)
            except InvalidRecord as error:
                log.warning("not a change", position=str(record.position), error=str(error))
