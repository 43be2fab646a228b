"""Rebuild a lost ledger from catalog.changes and the vector store.

catalog.changes holds each product's last change with the whole ledger state, including tombstones,
which the vector store does not keep. The vector store shows which products are really indexed. A
product found only there has no known version and no field that the store lacks. Replaying
catalog.updates afterwards removes every remaining difference from the lost ledger
(docs/decisions/091).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import TypeVar

from operators.catalog.decide import entry_of_change
from operators.catalog.refresh import next_refresh
from operators.ports import IndexedAttributes, Ledger, RefreshSchedule, VectorStore
from operators.vocabulary.views import attributes_hash, entry_of_index, newest
from schemas.catalog import LedgerEntry, ProductChange
from schemas.errors import UnreadableEntry

BATCH = 500
"""Entries read or written together; about half a megabyte."""

Item = TypeVar("Item")


@dataclass(slots=True)
class Rebuilt:
    """The result of a rebuild, in products unless stated otherwise."""

    changes: int = 0
    """Records read from catalog.changes."""
    products: int = 0
    """Existing, according to their last change, and indexed."""
    tombstones: int = 0
    known_by_index_only: int = 0
    """They lack title and exact price until their next upsert."""
    not_indexed: int = 0
    """Existing, according to their last change, but not in the vector store. Those with pictures
    are due to be embedded now."""
    not_fashion: int = 0
    """Existing, and kept out of the vector store because they are not fashion."""
    scheduled: int = 0
    """To be refreshed: their picture is pending, or their sale begins or ends."""
    deleted_but_indexed: list[str] = field(default_factory=list)
    """Keys of deleted products still in the vector store. They are never offered, because the
    ledger decides; a later upsert replaces them, a later delete removes them."""


@dataclass(frozen=True, slots=True)
class RebuildParts:
    """What a rebuild reads and writes."""

    index: VectorStore
    model: str
    """Fingerprint of the encoder whose vectors ``index`` holds."""
    ledger: Ledger
    schedule: RefreshSchedule
    """Lost together with the ledger."""


async def rebuild_ledger(
    changes: Iterable[ProductChange], parts: RebuildParts, now: datetime
) -> Rebuilt:
    """Fill the ledger and the refresh schedule from ``changes`` and from the index.

    ``changes``: those of one product in their original order.

    Newer entries in the ledger are kept, so the rebuild may be repeated, or run on a partly lost
    ledger. The index is only read. No catalog flow may run at the same time.
    """
    rebuilt, ledger = Rebuilt(), parts.ledger
    async for entries in _pages(ledger.scan()):
        # Mark every product as not indexed; the scan of the index below reverts this.
        await _write([_not_indexed(entry) for entry in entries if entry.indexed], ledger)
    for batch in _batches(changes):
        rebuilt.changes += len(batch)
        await _write_newest([entry_of_change(change) for change in batch], ledger)
    async for page in _pages(parts.index.scan()):
        await _mark_indexed(page, ledger, parts.model, rebuilt)
    async for entry in ledger.scan():
        _count(entry, rebuilt)
        due = _due(entry, now)
        if due is not None:
            await parts.schedule.set(entry.key, due)
            rebuilt.scheduled += 1
    return rebuilt


def _due(entry: LedgerEntry, now: datetime) -> datetime | None:
    """When the product is due for a refresh; at once if it should be searchable."""
    kept_out = entry.attributes.not_fashion is not None
    if entry.exists and not entry.indexed and not kept_out and entry.update.image_urls:
        return now
    return next_refresh(entry, now)


async def _write_newest(entries: Sequence[LedgerEntry], ledger: Ledger) -> None:
    """Write each product's last entry, unless the ledger has a newer one."""
    last = {entry.key: entry for entry in entries}
    known = await ledger.read_many(list(last), _refuse)
    newer = [
        entry
        for entry, before in zip(last.values(), known, strict=True)
        if before is None or _recency(entry) >= _recency(before)
    ]
    await _write(newer, ledger)


async def _mark_indexed(
    page: Sequence[tuple[str, IndexedAttributes]], ledger: Ledger, model: str, rebuilt: Rebuilt
) -> None:
    """Mark the products of ``page`` as indexed, with the attributes in the vector store."""
    known = await ledger.read_many([key for key, _ in page], _refuse)
    indexed = []
    for (key, attributes), before in zip(page, known, strict=True):
        if before is not None and before.deleted_version is not None:
            rebuilt.deleted_but_indexed.append(key)
            continue
        entry = before if before is not None and before.exists else entry_of_index(key, attributes)
        indexed.append(
            entry.model_copy(
                update={
                    "indexed": True,
                    "model": model,
                    "image_hash": attributes.image_hash,
                    "attributes_hash": attributes_hash(attributes),
                }
            )
        )
    await _write(indexed, ledger)


def _refuse(error: UnreadableEntry) -> None:
    raise error


def _recency(entry: LedgerEntry) -> tuple[bool, int, int, bool, int]:
    """A sort key that grows with every packet applied to a product, in whatever order they come.

    A product of which no upsert or delete is known sorts before every other state.
    """
    whole = newest(entry.version, entry.deleted_version)
    return (
        whole is not None,
        newest(whole, *entry.patched.values()) or 0,
        whole or 0,
        entry.deleted_version is not None,
        sum(entry.patched.values()),
    )


def _not_indexed(entry: LedgerEntry) -> LedgerEntry:
    return entry.model_copy(update={"indexed": False, "model": None, "attributes_hash": None})


def _count(entry: LedgerEntry, rebuilt: Rebuilt) -> None:
    if entry.deleted_version is not None:
        rebuilt.tombstones += 1
    elif entry.exists and entry.attributes.not_fashion is not None:
        rebuilt.not_fashion += 1
    elif entry.exists and not entry.indexed:
        rebuilt.not_indexed += 1
    elif entry.exists and entry.last_decision is None:
        rebuilt.known_by_index_only += 1
    elif entry.exists:
        rebuilt.products += 1


async def _write(entries: Sequence[LedgerEntry], ledger: Ledger) -> None:
    await asyncio.gather(*(ledger.write(entry) for entry in entries))


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    rest = iter(items)
    while batch := list(islice(rest, BATCH)):
        yield batch


async def _pages(items: AsyncIterator[Item]) -> AsyncIterator[list[Item]]:
    page: list[Item] = []
    async for item in items:
        page.append(item)
        if len(page) == BATCH:
            yield page
            page = []
    if page:
        yield page
