"""What a packet does to a product: pure decisions on the ledger entry.

Last writer wins, field by field. An upsert sets every field, a patch some, a delete ends the
product; each field belongs to the newest packet that set it, whatever order they come in. With
equal versions a delete beats an upsert and an upsert beats a patch. Entries are canonical: the same
packets in any order end in the same entry (docs/decisions/020).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from operators.vocabulary.views import (
    NEVER,
    newest_version,
    product_of,
)
from schemas.catalog import (
    Decision,
    LedgerEntry,
    Packet,
    PacketKind,
    ProductChange,
    ProductUpdate,
)
from schemas.ids import change_event_id

JUDGED_FIELDS = frozenset(
    {
        "title",
        "brand",
        "category_text",
        "gender_text",
        "colour_text",
        "pattern_text",
        "size_texts",
        "size_system",
    }
)
"""What standardisation reads."""


class Action(Enum):
    """What is to be done with a packet."""

    REPEAT = auto()
    """It made the last change: emit that change again, a crash may have lost the event."""
    DROP = auto()
    """Nothing in it is newer than what is known."""
    RECORD = auto()
    """The product doesn't exist: remember the patch or the tombstone, for what comes later."""
    DELETE = auto()
    """Take it out of the vector store, leave a tombstone."""
    SETTLE = auto()
    """The product exists, with the fields of the entry: bring the vector store in line."""


@dataclass(frozen=True, slots=True)
class Plan:
    """An action, and the ledger entry with the packet's fields and versions in it."""

    action: Action
    entry: LedgerEntry


def decide(
    entry: LedgerEntry | None,
    packet: Packet,
    update: ProductUpdate | None,
    position: str,
    models: frozenset[str],
) -> Plan:
    """What to do with ``packet``, whose payload maps to ``update`` (None for a delete).

    ``entry``: what the ledger has of the product. ``position``: topic/partition/offset of the
    packet.
    ``models``: fingerprints of the encoders whose products the index holds; a product that another
    one embedded, or that the vector store has lost, is settled anew by any packet that comes by.
    """
    before = entry or LedgerEntry(key=packet.key)
    if before.last_position == position and not _is_lost(before, models):
        return Plan(Action.REPEAT, before)
    if packet.kind is PacketKind.DELETE:
        if packet.version <= before.deleted_version or packet.version < before.version:
            return _dropped(before, models)
        action = Action.DELETE if before.exists or entry is None else Action.RECORD
        return Plan(action, _buried(before, packet.version))
    if update is None:
        raise ValueError("only a delete comes without an update")
    if packet.kind is PacketKind.UPSERT:
        if packet.version <= max(before.version, before.deleted_version):
            return _dropped(before, models)
        return Plan(Action.SETTLE, _replaced(before, packet.version, update))
    newer = _newer_fields(before, packet.version, update)
    if not newer:
        return _dropped(before, models)
    patched = _patched(before, packet.version, update, newer)
    return Plan(Action.SETTLE if before.exists else Action.RECORD, patched)


def _dropped(before: LedgerEntry, models: frozenset[str]) -> Plan:
    return Plan(Action.SETTLE if _is_lost(before, models) else Action.DROP, before)


def _is_lost(before: LedgerEntry, models: frozenset[str]) -> bool:
    return before.exists and not (before.indexed and before.model in models)


def _replaced(before: LedgerEntry, version: int, update: ProductUpdate) -> LedgerEntry:
    """After an upsert: all its fields, but those that newer patches set."""
    kept = {field: patch for field, patch in before.patched.items() if patch > version}
    fields = update.model_dump() | before.update.model_dump(include=set(kept))
    return before.model_copy(
        update={
            "version": version,
            # An upsert newer than the tombstone makes it meaningless.
            "deleted_version": NEVER,
            "patched": kept,
            "update": ProductUpdate.model_validate(fields),
        }
    )


def _newer_fields(before: LedgerEntry, version: int, update: ProductUpdate) -> set[str]:
    """The fields of a patch that nothing newer, or equally new, has set."""
    if version <= max(before.version, before.deleted_version):
        return set()
    return {
        field for field in update.model_fields_set if version > before.patched.get(field, NEVER)
    }


def _patched(
    before: LedgerEntry, version: int, update: ProductUpdate, fields: set[str]
) -> LedgerEntry:
    """After a patch: its ``fields``, each with its version."""
    values = before.update.model_dump() | update.model_dump(include=fields)
    return before.model_copy(
        update={
            "patched": dict(sorted({**before.patched, **dict.fromkeys(fields, version)}.items())),
            "update": ProductUpdate.model_validate(values),
        }
    )


def _buried(before: LedgerEntry, version: int) -> LedgerEntry:
    """After a delete: a tombstone, and the patches newer than it, should the product come back."""
    kept = {field: patch for field, patch in before.patched.items() if patch > version}
    return LedgerEntry(
        key=before.key,
        deleted_version=version,
        patched=kept,
        update=ProductUpdate.model_validate(before.update.model_dump(include=set(kept))),
        last_position=before.last_position,
        last_decision=before.last_decision,
        changed_at=before.changed_at,
    )


def picture_may_have_changed(
    before: LedgerEntry | None, after: LedgerEntry, packet: Packet, update: ProductUpdate | None
) -> bool:
    """Whether the picture has to be looked at: another main URL, or a patch that names pictures.

    The same URL in an upsert is taken for the same picture: see docs/decisions/022.
    """
    if before is None or before.update.image_urls != after.update.image_urls:
        return True
    named = update is not None and "image_urls" in update.model_fields_set
    return packet.kind is PacketKind.PATCH and named


def must_be_judged_anew(before: LedgerEntry, after: LedgerEntry) -> bool:
    """Whether a text changed that standardisation reads."""
    return before.update.model_dump(include=set(JUDGED_FIELDS)) != after.update.model_dump(
        include=set(JUDGED_FIELDS)
    )


def change_of(entry: LedgerEntry) -> ProductChange:
    """The event of the last change made; the same again each time it is asked for."""
    if entry.last_position is None or entry.last_decision is None or entry.changed_at is None:
        raise ValueError(f"{entry.key}: nothing was done to it yet")
    gone = entry.last_decision is Decision.DELETED
    return ProductChange(
        event_id=change_event_id(entry.key, entry.last_position),
        key=entry.key,
        decision=entry.last_decision,
        version=entry.deleted_version if gone else newest_version(entry),
        changed_at=entry.changed_at,
        product=None if gone else product_of(entry),
        position=entry.last_position,
        upsert_version=None if gone else entry.version,
        patched={} if gone else entry.patched,
    )


def entry_of_change(change: ProductChange) -> LedgerEntry:
    """The ledger entry that ``change`` tells of: what :func:`change_of` made it from, but for what
    only the vector store knows (``indexed``, ``model``, ``attributes_hash``), patches that are
    newer than a tombstone, and all that packets without a change have brought since.

    A change written before it carried versions field by field is taken as an upsert.
    """
    told = {
        "key": change.key,
        "last_position": change.position,
        "last_decision": change.decision,
        "changed_at": change.changed_at,
    }
    product = change.product
    if product is None:
        return LedgerEntry(deleted_version=change.version, **told)
    return LedgerEntry(
        version=change.version if change.upsert_version is None else change.upsert_version,
        patched=change.patched,
        update=product.update,
        attributes=product.attributes,
        image_url=next(iter(product.update.image_urls), None),
        image_hash=product.image_hash,
        **told,
    )
