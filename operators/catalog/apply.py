"""Apply one packet of the catalog flow: map it, read the ledger, decide, update the index.

Writes go to the vector store, its mirror, the thumbnails, the refresh schedule and last the ledger,
so the ledger never claims more than was done. After a crash the packet is replayed: the ledger
still holds the previous state, and the same writes are made again. Packets of one product must be
applied one at a time; different products may be applied concurrently.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from operators.catalog.decide import Action, change_of, decide
from operators.catalog.map_packet import MappedUpdate, map_packet
from operators.catalog.notes import Note
from operators.catalog.parts import CatalogParts
from operators.catalog.reconcile import Reconciled, reconcile
from operators.catalog.refresh import next_refresh
from operators.catalog.sale import expiry
from operators.catalog.versions import check_version
from schemas.catalog import (
    Decision,
    LedgerEntry,
    Packet,
    PacketKind,
    ProductChange,
    ProductUpdate,
)
from schemas.errors import InvalidUpdate

_LONG_PAYLOAD = 20_000
"""Characters of a payload that is mapped in a thread: it may take tens of milliseconds, in which
the event loop has other vendors' packets to serve. Most have hundreds."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The outcome of one packet."""

    decision: Decision
    change: ProductChange | None
    """The event to publish; None when nothing changed."""
    embeddings: int
    """Number of pictures embedded: 0 or 1."""
    picture_pending: str | None = None
    """Why the product's newest picture could not be fetched, as a reason code."""
    notes: tuple[Note, ...] = ()
    """How values of the packet were cut, emptied or read leniently."""


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


async def apply_packet(
    packet: Packet, position: str, parts: CatalogParts, now: Callable[[], datetime] = utc_now
) -> Applied:
    """Apply ``packet``, read at ``position`` (topic/partition/offset), to index and ledger.

    Raises InvalidUpdate when the packet can never succeed (nothing was written), and Unavailable
    when one of our stores or models cannot be reached; it is then safe to call again. A picture
    that cannot be fetched stops nothing: the facts are applied, the picture is retried later.
    """
    moment = now()
    check_version(packet.version, moment)
    if is_long(packet):
        mapped = await asyncio.to_thread(map_payload, packet, parts)
    else:
        mapped = map_payload(packet, parts)
    if mapped is None:
        return await _apply(packet, None, position, parts, moment)
    applied = await _apply(packet, mapped.update, position, parts, moment)
    return replace(applied, notes=(*mapped.notes, *expiry(mapped.update, moment)))


async def _apply(
    packet: Packet,
    update: ProductUpdate | None,
    position: str,
    parts: CatalogParts,
    moment: datetime,
) -> Applied:
    """Decide what the packet does, and do it."""
    before = await parts.ledger.read(packet.key)
    plan = decide(before, packet, update, position, parts.models)

    if plan.action is Action.REEMIT:
        change = change_of(plan.entry)
        return Applied(change.decision, change, 0)
    if plan.action is Action.DROP:
        if packet.kind is PacketKind.REFRESH:
            await parts.schedule.set(packet.key, next_refresh(plan.entry, moment))
        return Applied(Decision.STALE, None, 0)
    if plan.action is Action.RECORD:
        await parts.ledger.write(plan.entry)
        held = packet.kind is PacketKind.PATCH
        return Applied(Decision.HELD if held else Decision.UNCHANGED, None, 0)
    if plan.action is Action.DELETE:
        await parts.index.delete(packet.key)
        await parts.mirror.delete(packet.key)
        await parts.thumbnails.delete(packet.key)
        known = before is not None
        done = Reconciled(plan.entry, Decision.DELETED if known else Decision.UNCHANGED)
    else:
        done = await reconcile(before, plan.entry, packet, update, parts, moment)
    return await _commit(done, before, packet, position, parts, moment)


def map_payload(packet: Packet, parts: CatalogParts) -> MappedUpdate | None:
    """The update in ``packet``; None for a kind without a payload. Raises InvalidUpdate."""
    if packet.kind.is_ours:
        return None
    mapping = parts.mappings.get(packet.vendor)
    if mapping is None:
        raise InvalidUpdate(
            f"vendor: no mapping for {packet.vendor!r}; there are mappings for "
            f"{', '.join(sorted(parts.mappings))}",
            reason="unknown-vendor",
        )
    if packet.kind is PacketKind.DELETE:
        return None
    return map_packet(packet, mapping)


def is_long(packet: Packet) -> bool:
    """Whether the payload is to be mapped in a thread."""
    return _characters(packet.payload, _LONG_PAYLOAD) > _LONG_PAYLOAD


def _characters(value: object, most: int) -> int:
    """The characters of the texts in ``value``, at any depth, counted until there are ``most``."""
    if isinstance(value, str):
        return len(value)
    elements: Iterable[object] = ()
    if isinstance(value, dict):
        elements = value.values()
    elif isinstance(value, list):
        elements = value
    count = 0
    for element in elements:
        count += 1 + _characters(element, most - count)
        if count > most:
            break
    return count


async def _commit(
    done: Reconciled,
    before: LedgerEntry | None,
    packet: Packet,
    position: str,
    parts: CatalogParts,
    now: datetime,
) -> Applied:
    """Schedule the next refresh, write the ledger, and build the change event."""
    entry = with_history(done.entry, done.decision, position, now)
    due = next_refresh(entry, now)
    if due is not None:
        await parts.schedule.set(entry.key, due)
    await parts.ledger.write(entry)
    if due is None and (packet.kind is PacketKind.REFRESH or may_be_scheduled(before)):
        await parts.schedule.set(entry.key, None)
    change = None if done.decision is Decision.UNCHANGED else change_of(entry)
    pending = entry.picture_pending.reason if entry.picture_pending else None
    return Applied(done.decision, change, done.embeddings, pending)


def with_history(
    entry: LedgerEntry, decision: Decision, position: str, now: datetime
) -> LedgerEntry:
    """``entry``, last changed by the packet at ``position``, if that changed it.

    After an unchanged packet the previous change stays the last one: if a crash loses its event,
    replaying its packet publishes it again.
    """
    if decision is Decision.UNCHANGED:
        return entry
    return entry.model_copy(
        update={"last_position": position, "last_decision": decision, "changed_at": now}
    )


def may_be_scheduled(before: LedgerEntry | None) -> bool:
    """Whether a refresh of the product may have been scheduled."""
    return before is not None and (
        before.picture_pending is not None or before.update.sale_price is not None
    )
