"""Whether index and ledger belong to each other, and to the flow's positions."""

from __future__ import annotations

from pathlib import Path

from redis.asyncio import Redis

from operators.ports import Ledger, VectorStore
from operators.stores.redis.index_identity import describe_index, require_described
from operators.stores.redis.ledger_identity import (
    LedgerIdentity,
    identify,
    load_identity,
    save_identity,
)


async def verify_ledger(
    client: Redis, ledger: Ledger, index: VectorStore, file: Path | None
) -> LedgerIdentity:
    """The identity of the ledger; ``file``: where the flow remembers it.

    Raises LedgerLost when it is not the ledger that belongs to ``index``, IndexLost when ``index``
    is not one that it describes.
    """
    known = load_identity(file) if file is not None else None
    found = await identify(client, index, known)
    if file is not None and found != known:
        save_identity(file, found)
    await require_described(client, ledger, index.generation, await index.count())
    await describe_index(client, index.generation)
    return found
