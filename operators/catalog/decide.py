"""Decide what a packet does to a product: pure functions on the ledger entry.

The last writer wins, field by field. An upsert sets every field, a patch some of them, a delete
removes the product; each field belongs to the newest packet that set it, in whatever order packets
arrive. At equal versions a delete beats an upsert and an upsert beats a patch. The same packets in
any order produce the same entry (docs/decisions/020).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from operator import attrgetter

from operators.catalog.rules import READ_BY_RULES
from operators.vocabulary.views import newest, product_of, published_version
from schemas.base import built
from schemas.catalog import (
    UNKNOWN_VERSION,
    Decision,
    LedgerEntry,
    Packet,
    PacketKind,
    ProductChange,
    ProductUpdate,
)
from schemas.ids import change_event_id


class Action(Enum):
    """What to do with a packet."""

    REEMIT = auto()
    """The packet made the last change: publish it again, a crash may have lost the event."""
    DROP = auto()
    """Everything in the packet is older than what the ledger holds."""
    RECORD = auto()
    """The product does not exist: store the patch or the tombstone for later packets."""
    DELETE = auto()
    """Remove the product from the vector store and leave a tombstone."""
    RECONCILE = auto()
    """The product exists with the fields of the entry: make the vector store match."""


@dataclass(frozen=True, slots=True)
class Plan:
    """An action, and the ledger entry after the packet."""

    action: Action
    entry: LedgerEntry


def decide(
    entry: LedgerEntry | None,
    packet: Packet,
    update: ProductUpdate | None,
    position: str,
    models: frozenset[str],
) -> Plan:
    """What to do with ``packet``, read at ``position`` (topic/partition/offset).

    ``entry``: the product's ledger entry, None when it has none. ``update``: the mapped payload,
    None for a delete. ``models``: fingerprints of the encoders whose products the index holds; a
    product embedded by any other encoder, or missing from the vector store, is reconciled by any
    packet.
    """
    before = entry or LedgerEntry(key=packet.key)
    if before.last_position == position and not _missing_from_index(before, models):
        return Plan(Action.REEMIT, before)
    if packet.kind is PacketKind.REFRESH:
        return Plan(Action.RECONCILE if before.exists else Action.DROP, before)
    if packet.kind is PacketKind.FORGET_VERSION:
        return Plan(Action.RECORD, _without_versions(before))
    if packet.kind is PacketKind.DELETE:
        repeated = not _is_newer(packet.version, before.deleted_version)
        if repeated or (before.version is not None and packet.version < before.version):
            return _drop(before, models)
        action = Action.DELETE if before.exists or entry is None else Action.RECORD
        return Plan(action, _tombstone(before, packet.version))
    if update is None:
        raise ValueError(f"a packet of kind {packet.kind} needs an update")
    if packet.kind is PacketKind.UPSERT:
        if not _is_newer(packet.version, newest(before.version, before.deleted_version)):
            return _drop(before, models)
        return Plan(Action.RECONCILE, _with_upsert(before, packet.version, update))
    newer = _newer_fields(before, packet.version, update)
    if not newer:
        return _drop(before, models)
    patched = _with_patch(before, packet.version, update, newer)
    return Plan(Action.RECONCILE if before.exists else Action.RECORD, patched)


def _is_newer(version: int, known: int | None) -> bool:
    """Every version is newer than none."""
    return known is None or version > known


def _drop(before: LedgerEntry, models: frozenset[str]) -> Plan:
    """Ignore the packet's content, but use it to restore a product missing from the index."""
    missing = _missing_from_index(before, models)
    return Plan(Action.RECONCILE if missing else Action.DROP, before)


def _missing_from_index(before: LedgerEntry, models: frozenset[str]) -> bool:
    # A product whose picture is pending is tried again on a schedule, not by every packet.
    waiting = before.picture_pending is not None and not before.indexed
    kept_out = before.attributes.not_fashion is not None
    return (
        before.exists
        and not waiting
        and not kept_out
        and not (before.indexed and before.model in models)
    )


def _without_versions(before: LedgerEntry) -> LedgerEntry:
    """The same product or tombstone, older than every packet."""
    return before.model_copy(
        update={
            "version": None,
            "deleted_version": None,
            "version_unknown": before.exists,
            "patched": {},
        }
    )


def _with_upsert(before: LedgerEntry, version: int, update: ProductUpdate) -> LedgerEntry:
    """The entry after an upsert: all its fields except those set by newer patches."""
    newer = {field: patch for field, patch in before.patched.items() if patch > version}
    kept = {field: getattr(before.update, field) for field in newer}
    return before.model_copy(
        update={
            "version": version,
            # An upsert newer than the tombstone makes it obsolete.
            "deleted_version": None,
            "version_unknown": False,
            "patched": newer,
            "update": update.model_copy(update=kept),
        }
    )


def _newer_fields(before: LedgerEntry, version: int, update: ProductUpdate) -> set[str]:
    """The fields of a patch that no packet of the same or a newer version has set."""
    if not _is_newer(version, newest(before.version, before.deleted_version)):
        return set()
    return {
        field for field in update.model_fields_set if _is_newer(version, before.patched.get(field))
    }


def _with_patch(
    before: LedgerEntry, version: int, update: ProductUpdate, fields: set[str]
) -> LedgerEntry:
    """The entry after a patch of ``fields``, each with the patch's version."""
    values = {field: getattr(update, field) for field in fields}
    return before.model_copy(
        update={
            "patched": dict(sorted({**before.patched, **dict.fromkeys(fields, version)}.items())),
            "update": before.update.model_copy(update=values),
        }
    )


def _tombstone(before: LedgerEntry, version: int) -> LedgerEntry:
    """The entry after a delete. Newer patches are kept: a later upsert may need them."""
    newer = {field: patch for field, patch in before.patched.items() if patch > version}
    return LedgerEntry(
        key=before.key,
        deleted_version=version,
        patched=newer,
        update=ProductUpdate.model_validate(before.update.model_dump(include=set(newer))),
        last_position=before.last_position,
        last_decision=before.last_decision,
        changed_at=before.changed_at,
    )


_read_by_rules = attrgetter(*READ_BY_RULES)


def picture_may_have_changed(
    before: LedgerEntry, after: LedgerEntry, packet: Packet, update: ProductUpdate | None
) -> bool:
    """Whether the picture must be fetched: its URLs changed, or a patch names pictures.

    The same URL in an upsert counts as the same picture (docs/decisions/022).
    """
    if before.update.image_urls != after.update.image_urls:
        return True
    named = update is not None and "image_urls" in update.model_fields_set
    return packet.kind is PacketKind.PATCH and named


def needs_restandardising(before: LedgerEntry, after: LedgerEntry) -> bool:
    """Whether a field that standardisation reads has changed."""
    if before.update is after.update:
        return False
    return _read_by_rules(before.update) != _read_by_rules(after.update)


def change_of(entry: LedgerEntry) -> ProductChange:
    """The event of the product's last change; equal every time it is built.

    Raises ValueError when the product has had no change.
    """
    if entry.last_position is None or entry.last_decision is None or entry.changed_at is None:
        raise ValueError(f"{entry.key}: there has been no change yet")
    deleted = entry.last_decision is Decision.DELETED
    version = entry.deleted_version if deleted else published_version(entry)
    upserted = UNKNOWN_VERSION if entry.version is None else entry.version
    return built(
        ProductChange,
        {
            "schema_version": 1,
            "event_id": change_event_id(entry.key, entry.last_position),
            "key": entry.key,
            "decision": entry.last_decision,
            "version": UNKNOWN_VERSION if version is None else version,
            "changed_at": entry.changed_at,
            "product": None if deleted else product_of(entry, entry.changed_at),
            "position": entry.last_position,
            "upsert_version": None if deleted else upserted,
            "patched": {} if deleted else entry.patched,
            "picture_pending": None if deleted else entry.picture_pending,
        },
    )


def entry_of_change(change: ProductChange) -> LedgerEntry:
    """The ledger entry that ``change`` describes; the inverse of :func:`change_of`.

    A change does not carry what only the vector store knows (``indexed``, ``model``,
    ``attributes_hash``), patches newer than a tombstone, or versions of later packets that changed
    nothing. A change in the old format, without versions per field, counts as an upsert.
    """
    history = {
        "key": change.key,
        "last_position": change.position,
        "last_decision": change.decision,
        "changed_at": change.changed_at,
    }
    product = change.product
    if product is None:
        return LedgerEntry(deleted_version=_known(change.version), **history)
    upserted = change.version if change.upsert_version is None else change.upsert_version
    return LedgerEntry(
        version=_known(upserted),
        version_unknown=upserted == UNKNOWN_VERSION,
        patched=change.patched,
        update=product.update,
        attributes=product.attributes,
        image_url=next(iter(product.update.image_urls), None),
        image_hash=product.image_hash or None,
        picture_pending=change.picture_pending,
        **history,
    )


def _known(version: int) -> int | None:
    return None if version == UNKNOWN_VERSION else version
