"""What follows from a packet that brings nothing but facts, without a call to any part.

Price, stock and texts of a product that the vector store holds: all that is left to do is to write
them. Most packets are such ones; the catalog flow applies them in batches (apply_batch.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from operators.catalog.decide import needs_restandardising, picture_may_have_changed
from operators.catalog.parts import CatalogParts
from operators.catalog.standardise import is_complete
from operators.ports import IndexedAttributes
from operators.vocabulary.views import attributes_hash, indexed_attributes
from schemas.catalog import Decision, LedgerEntry, Packet, PacketKind, ProductUpdate


@dataclass(frozen=True, slots=True)
class Facts:
    """The outcome of facts for a product, once they are written."""

    entry: LedgerEntry
    decision: Decision
    indexed: IndexedAttributes | None
    """To be patched into the vector store; None: it holds them already."""


def apply_facts(
    before: LedgerEntry,
    entry: LedgerEntry,
    packet: Packet,
    update: ProductUpdate | None,
    parts: CatalogParts,
    now: datetime,
) -> Facts | None:
    """What ``packet`` does to a product, ``entry`` after it: the same that `reconcile` would do.

    None when it takes more: a picture, the encoder, rules on texts that are not prepared
    (`Standardiser.prepare`), or removing the product.
    """
    if (
        not before.exists
        or not is_embedded(before, parts.models)
        or before.attributes.not_fashion is not None
        or shows_placeholder(before, parts)
        or must_fetch(before, entry, packet, update)
    ):
        return None
    new_texts = needs_restandardising(before, entry)
    if new_texts or packet.kind is PacketKind.UPSERT:
        attributes = parts.standardiser.prepared(entry.update)
        if attributes is None or attributes.not_fashion is not None:
            return None
        if new_texts:
            if not is_complete(attributes):
                return None
            entry = entry.model_copy(update={"attributes": attributes})
    indexed = indexed_attributes(entry, now)
    digest = attributes_hash(indexed)
    same = digest == before.attributes_hash
    if not same:
        entry = entry.model_copy(update={"attributes_hash": digest})
    return Facts(entry, decision_on(before, entry, now), None if same else indexed)


async def patch_index(key: str, indexed: IndexedAttributes, parts: CatalogParts) -> bool:
    """Write the attributes to the vector store and its mirror. False when the store has lost the
    product. Raises Unavailable."""
    if not await parts.index.patch(key, indexed):
        return False
    await parts.mirror.patch(key, indexed)
    return True


def is_embedded(entry: LedgerEntry, models: frozenset[str]) -> bool:
    """Whether the vector store holds the product, embedded by one of ``models``."""
    return entry.indexed and entry.model in models


def must_fetch(
    embedded: LedgerEntry, entry: LedgerEntry, packet: Packet, update: ProductUpdate | None
) -> bool:
    """Whether the packet is a reason to fetch the product's pictures."""
    if packet.kind is PacketKind.REFRESH:
        return embedded.picture_pending is not None
    return picture_may_have_changed(embedded, entry, packet, update)


def shows_placeholder(embedded: LedgerEntry, parts: CatalogParts) -> bool:
    """Whether the product's picture is one that stands for many products."""
    shown = embedded.image_hash
    if shown is None:
        return False
    pending = embedded.picture_pending
    marked = pending is not None and pending.placeholder == shown
    return marked or parts.placeholders.is_placeholder(embedded.key, shown)


def decision_on(before: LedgerEntry | None, after: LedgerEntry, now: datetime) -> Decision:
    """Whether consumers of catalog.changes need an event."""
    known = before is not None and before.attributes.not_fashion is not None
    if before is None or (after.attributes.not_fashion is not None and not known):
        return Decision.NOT_FASHION
    # The last event stated the price as of its own time.
    then = before.changed_at or now
    changed = _published(before, then) != _published(after, now)
    return Decision.UPDATED if changed else Decision.UNCHANGED


def _published(entry: LedgerEntry, moment: datetime) -> tuple[object, ...]:
    """The contents of a product's change event, without the version."""
    return (
        entry.update,
        entry.update.price_at(moment),
        entry.attributes,
        entry.image_hash,
        entry.picture_pending is None,
    )
