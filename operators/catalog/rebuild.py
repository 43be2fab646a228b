"""A lost ledger, made again from what is left: catalog.changes, and the vector store.

catalog.changes carries each product's last change with everything the ledger had of it, tombstones
included, which no vector store keeps; the store says what of it is really indexed. Products that
only the store knows are taken with the oldest version and without what it does not hold. What
differs afterwards from the ledger that was lost, a replay of catalog.updates settles
(docs/decisions/091).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from operators.catalog.decide import entry_of_change
from operators.ports import IndexedAttributes, Ledger, VectorStore
from operators.vocabulary.views import attributes_hash, entry_of_index, newest_version
from schemas.catalog import LedgerEntry, ProductChange

BATCH = 500
"""Entries read and written together; about half a megabyte."""

Item = TypeVar("Item")


@dataclass(slots=True)
class Rebuilt:
    """What came of it, in products unless it says otherwise."""

    changes: int = 0
    """Records of catalog.changes read."""
    products: int = 0
    """Alive, as their last change tells, and indexed."""
    tombstones: int = 0
    known_by_index_only: int = 0
    """Without title and exact price until their next upsert."""
    not_indexed: int = 0
    """Alive by their last change, but not in the vector store: the next packet embeds them."""
    deleted_but_indexed: list[str] = field(default_factory=list)
    """Keys: never shown, as the ledger knows better; a later upsert or delete settles them."""


async def rebuild_ledger(
    changes: Iterable[ProductChange], index: VectorStore, ledger: Ledger, model: str
) -> Rebuilt:
    """Fill ``ledger`` from ``changes`` (those of one product in their order) and ``index``, whose
    vectors are of the encoder ``model``.

    Entries that are there and newer are kept, so it may be run again, or over a ledger that is
    only partly lost. The index is not written to. No flow may run meanwhile.
    """
    rebuilt = Rebuilt()
    async for entries in _pages(ledger.scan()):
        # What the index does not have is found by marking all, and taking it back from what it has.
        await _write([_not_indexed(entry) for entry in entries if entry.indexed], ledger)
    for batch in _batches(changes):
        rebuilt.changes += len(batch)
        await _write_newest([entry_of_change(change) for change in batch], ledger)
    async for page in _pages(index.scan()):
        await _mark_indexed(page, ledger, model, rebuilt)
    async for entry in ledger.scan():
        _count(entry, rebuilt)
    return rebuilt


async def _write_newest(entries: Sequence[LedgerEntry], ledger: Ledger) -> None:
    """Of each product, the last of ``entries``, unless the ledger has a newer one."""
    last = {entry.key: entry for entry in entries}
    known = await ledger.read_many(list(last))
    newer = [
        entry
        for entry, before in zip(last.values(), known, strict=True)
        if before is None or _age(entry) >= _age(before)
    ]
    await _write(newer, ledger)


async def _mark_indexed(
    page: Sequence[tuple[str, IndexedAttributes]], ledger: Ledger, model: str, rebuilt: Rebuilt
) -> None:
    """Note in the ledger what the vector store has, as it has it."""
    known = await ledger.read_many([key for key, _ in page])
    written = []
    for (key, attributes), before in zip(page, known, strict=True):
        if before is not None and before.deleted_version >= 0:
            rebuilt.deleted_but_indexed.append(key)
            continue
        entry = before if before is not None and before.exists else entry_of_index(key, attributes)
        written.append(
            entry.model_copy(
                update={
                    "indexed": True,
                    "model": model,
                    "image_hash": attributes.image_hash,
                    "attributes_hash": attributes_hash(attributes),
                }
            )
        )
    await _write(written, ledger)


def _age(entry: LedgerEntry) -> tuple[bool, int, int, bool, int]:
    """Grows with every packet that a product takes in, whatever order they come in.

    A patch held for a product that is not known is older than anything.
    """
    settled = max(entry.version, entry.deleted_version)
    return (
        settled >= 0,
        max(newest_version(entry), entry.deleted_version),
        settled,
        entry.deleted_version >= 0,
        sum(entry.patched.values()),
    )


def _not_indexed(entry: LedgerEntry) -> LedgerEntry:
    return entry.model_copy(update={"indexed": False, "model": None, "attributes_hash": None})


def _count(entry: LedgerEntry, rebuilt: Rebuilt) -> None:
    if entry.deleted_version >= 0:
        rebuilt.tombstones += 1
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
