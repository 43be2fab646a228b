"""Apply what waits as one batch: one ledger read, one write, and nothing awaited per packet.

A batch applies what `apply_facts` can tell without a call, packet by packet in their order; the
later packet of a product sees what the earlier one has decided. Everything else is left to
`apply_packet`: packets that need a picture, the encoder or a deletion, bad packets, products
without a readable ledger entry, whatever a part fails at, and all later packets of their products.

As there, the ledger is written after the vector store has acknowledged. What is left may have been
written: applying it again makes the same writes, or publishes the last change again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from operators.catalog.apply import (
    Applied,
    is_long,
    map_payload,
    may_be_scheduled,
    utc_now,
    with_history,
)
from operators.catalog.decide import Action, change_of, decide
from operators.catalog.facts import apply_facts, patch_index
from operators.catalog.notes import Note
from operators.catalog.parts import CatalogParts
from operators.catalog.refresh import next_refresh
from operators.catalog.sale import expiry
from operators.catalog.versions import check_version
from operators.ports import IndexedAttributes
from operators.vocabulary.views import indexed_attributes
from schemas.catalog import Decision, LedgerEntry, Packet, PacketKind, ProductUpdate
from schemas.errors import InvalidUpdate


@dataclass(frozen=True, slots=True)
class _Mapped:
    """A packet that can be read."""

    number: int
    """In the batch."""
    packet: Packet
    position: str
    update: ProductUpdate | None
    notes: tuple[Note, ...]


@dataclass(slots=True)
class _Product:
    """A product of the batch."""

    entry: LedgerEntry
    """After the packets that were decided."""
    applied: dict[int, Applied] = field(default_factory=dict)
    """By the packet's number in the batch."""
    indexed: IndexedAttributes | None = None
    """To be patched into the vector store. Also when the last packet takes back what an earlier one
    has changed: a crash may have left that in the store."""
    changed: bool = False
    """The ledger is to be written."""
    due: datetime | None = None
    """When to refresh it."""
    unscheduled: bool = False
    """Any earlier schedule is obsolete."""
    left: bool = False
    """Further packets are left."""

    @property
    def key(self) -> str:
        return self.entry.key


async def apply_batch(
    packets: Sequence[tuple[Packet, str]],
    parts: CatalogParts,
    now: Callable[[], datetime] = utc_now,
) -> list[Applied | None]:
    """Apply ``packets``, each with its position, in their order; None: to be applied alone.

    Raises what the ledger raises; then all are to be applied alone.
    """
    moment = now()
    slow = {packet.key for packet, _ in packets if is_long(packet)}
    readable = [
        mapped
        for number, (packet, position) in enumerate(packets)
        if packet.key not in slow
        and (mapped := _map(number, packet, position, parts, moment)) is not None
    ]
    outcomes: list[Applied | None] = [None] * len(packets)
    if not readable:
        return outcomes
    keys = list(dict.fromkeys(mapped.packet.key for mapped in readable))
    known = await parts.ledger.read_known(keys)
    await parts.standardiser.prepare(
        [
            mapped.update
            for mapped in readable
            if mapped.update is not None and mapped.update.title and mapped.packet.key in known
        ]
    )
    products = {key: _Product(entry) for key, entry in known.items()}
    for mapped in readable:
        product = products.get(mapped.packet.key)
        if product is not None and not product.left:
            applied = _apply(product, mapped, parts, moment)
            if applied is None:
                product.left = True
            else:
                product.applied[mapped.number] = applied
    for product in await _write(list(products.values()), parts):
        for number, applied in product.applied.items():
            outcomes[number] = applied
    return outcomes


def _map(
    number: int, packet: Packet, position: str, parts: CatalogParts, moment: datetime
) -> _Mapped | None:
    """None for a packet that is refused: it changes nothing, whenever that is reported."""
    try:
        check_version(packet.version, moment)
        mapped = map_payload(packet, parts)
    except InvalidUpdate:
        return None
    if mapped is None:
        return _Mapped(number, packet, position, None, ())
    notes = (*mapped.notes, *expiry(mapped.update, moment))
    return _Mapped(number, packet, position, mapped.update, notes)


def _apply(
    product: _Product, mapped: _Mapped, parts: CatalogParts, now: datetime
) -> Applied | None:
    """Decide what the packet does, and note what is to be written. None: more is to be done."""
    before, packet, update = product.entry, mapped.packet, mapped.update
    plan = decide(before, packet, update, mapped.position, parts.models)
    if plan.action is Action.REEMIT:
        again = change_of(plan.entry)
        return Applied(again.decision, again, 0, notes=mapped.notes)
    if plan.action is Action.DROP and packet.kind is not PacketKind.REFRESH:
        return Applied(Decision.STALE, None, 0, notes=mapped.notes)
    if plan.action is Action.RECORD:
        product.entry, product.changed = plan.entry, True
        held = packet.kind is PacketKind.PATCH
        decision = Decision.HELD if held else Decision.UNCHANGED
        return Applied(decision, None, 0, notes=mapped.notes)
    if plan.action is not Action.RECONCILE:
        return None
    facts = apply_facts(before, plan.entry, packet, update, parts, now)
    if facts is None:
        return None
    entry = with_history(facts.entry, facts.decision, mapped.position, now)
    product.entry, product.changed = entry, True
    product.indexed = facts.indexed or (
        indexed_attributes(entry, now) if product.indexed is not None else None
    )
    product.due = next_refresh(entry, now)
    product.unscheduled = product.unscheduled or (
        packet.kind is PacketKind.REFRESH or may_be_scheduled(before)
    )
    change = None if facts.decision is Decision.UNCHANGED else change_of(entry)
    pending = entry.picture_pending.reason if entry.picture_pending else None
    return Applied(facts.decision, change, 0, pending, mapped.notes)


async def _write(products: Sequence[_Product], parts: CatalogParts) -> list[_Product]:
    """Write what is noted, and return the products for which nothing failed."""
    failed: set[str] = set()

    async def try_each(calls: Mapping[str, Awaitable[object]]) -> None:
        results = await asyncio.gather(*calls.values(), return_exceptions=True)
        failed.update(key for key, result in zip(calls, results, strict=True) if result is not True)

    await try_each({p.key: _prepare(p, parts) for p in products if p.indexed or p.due})
    entries = [p.entry for p in products if p.changed and p.key not in failed]
    if entries:
        await parts.ledger.write_many(entries)
    obsolete = (p for p in products if p.unscheduled and not p.due and p.key not in failed)
    await try_each({p.key: _unschedule(p, parts) for p in obsolete})
    return [product for product in products if product.key not in failed]


async def _prepare(product: _Product, parts: CatalogParts) -> bool:
    """Write what must be there before the ledger says so. False: the vector store has lost it."""
    if product.indexed and not await patch_index(product.key, product.indexed, parts):
        return False
    if product.due:
        await parts.schedule.set(product.key, product.due)
    return True


async def _unschedule(product: _Product, parts: CatalogParts) -> bool:
    await parts.schedule.set(product.key, None)
    return True
