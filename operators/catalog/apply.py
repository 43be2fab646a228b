"""The catalog flow for one packet: map, read the ledger, decide, and bring the index in line.

Order of writes: vector store, its mirror, thumbnail, then the ledger, which says what was done. A
crash in between is repaired by the packet's replay: the ledger still tells the state before, so the
same is done again. Packets of one product must not overlap; different products may.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from PIL.Image import Image

from operators.catalog.decide import (
    Action,
    change_of,
    decide,
    must_be_judged_anew,
    picture_may_have_changed,
)
from operators.catalog.map_packet import map_packet
from operators.catalog.mapping import Mapping as VendorMapping
from operators.catalog.standardise import Standardiser, is_complete
from operators.ports import (
    ImageTextEncoder,
    IndexedAttributes,
    Ledger,
    Mirror,
    Picture,
    PictureSource,
    Thumbnails,
    VectorStore,
)
from operators.vocabulary.views import attributes_hash, indexed_attributes
from schemas.attributes import StandardAttributes
from schemas.catalog import (
    Decision,
    LedgerEntry,
    Packet,
    PacketKind,
    ProductChange,
    ProductUpdate,
)
from schemas.errors import ImageRefused, InvalidUpdate
from schemas.looks import ImageReference


class NoMirror:
    """A :class:`operators.ports.Mirror` that is none."""

    fingerprint: str | None = None

    async def upsert(self, key: str, image: Image, attributes: IndexedAttributes) -> None:
        return None

    async def patch(self, key: str, attributes: IndexedAttributes) -> None:
        return None

    async def delete(self, key: str) -> None:
        return None


@dataclass(frozen=True, slots=True)
class CatalogParts:
    """What applying packets takes."""

    mappings: Mapping[str, VendorMapping]
    standardiser: Standardiser
    pictures: PictureSource
    encoder: ImageTextEncoder
    index: VectorStore
    ledger: Ledger
    thumbnails: Thumbnails
    mirror: Mirror = field(default_factory=NoMirror)
    succeeds: frozenset[str] = frozenset()
    """Fingerprints of the encoders before: the index was filled with all that they had embedded."""

    @property
    def models(self) -> frozenset[str]:
        """Fingerprints under which the ledger knows a product as embedded in the index."""
        mirrored = self.mirror.fingerprint
        kept = frozenset() if mirrored is None else frozenset((mirrored,))
        return self.succeeds | kept | {self.encoder.fingerprint}


@dataclass(frozen=True, slots=True)
class Applied:
    """What a packet came to."""

    decision: Decision
    change: ProductChange | None
    """To be emitted; None when nothing was changed."""
    embeddings: int
    """Pictures embedded for it: 0 or 1."""


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


async def apply_packet(
    packet: Packet, position: str, parts: CatalogParts, now: Callable[[], datetime] = utc_now
) -> Applied:
    """Apply ``packet``, read at ``position`` (topic/partition/offset), to index and ledger.

    Raises InvalidUpdate or ImageRefused (dead letter; nothing was written), or Unavailable (a part
    can't be reached; try again, everything is written again from the start).
    """
    update = _mapped(packet, parts)
    before = await parts.ledger.read(packet.key)
    plan = decide(before, packet, update, position, parts.models)

    if plan.action is Action.REPEAT:
        change = change_of(plan.entry)
        return Applied(change.decision, change, 0)
    if plan.action is Action.DROP:
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
        return await _written(
            plan.entry, Decision.DELETED if known else Decision.UNCHANGED, 0, position, parts, now
        )

    settled, decision, embeddings = await _settle(before, plan.entry, packet, update, parts)
    return await _written(settled, decision, embeddings, position, parts, now)


async def _settle(
    before: LedgerEntry | None,
    entry: LedgerEntry,
    packet: Packet,
    update: ProductUpdate | None,
    parts: CatalogParts,
) -> tuple[LedgerEntry, Decision, int]:
    """Brings vector store and thumbnail in line with ``entry``: embeds only what must be."""
    alive = before if before is not None and before.exists else None
    embedded = alive if alive is not None and _is_embedded(alive, parts.models) else None
    picture = None
    if embedded is None or picture_may_have_changed(embedded, entry, packet, update):
        entry, picture = await _look(entry, parts.pictures)

    if embedded is not None and (picture is None or picture.pixel_hash == embedded.image_hash):
        settled = await _update_metadata(embedded, entry, parts)
        if settled is not None:
            changed = _told(embedded) != _told(settled)
            return settled, Decision.UPDATED if changed else Decision.UNCHANGED, 0
    if picture is None:
        # The vector store has lost the product (a crash, a rebuilt index): embed it again.
        entry, picture = await _look(entry, parts.pictures)
    settled = await _embed(entry, picture, parts)
    return settled, Decision.CREATED if alive is None else Decision.REEMBEDDED, 1


def _is_embedded(entry: LedgerEntry, models: frozenset[str]) -> bool:
    return entry.indexed and entry.model in models


def _mapped(packet: Packet, parts: CatalogParts) -> ProductUpdate | None:
    mapping = parts.mappings.get(packet.vendor)
    if mapping is None:
        raise InvalidUpdate(
            f"there is no mapping for the vendor {packet.vendor!r}", reason="unknown-vendor"
        )
    return None if packet.kind is PacketKind.DELETE else map_packet(packet, mapping)


async def _look(entry: LedgerEntry, pictures: PictureSource) -> tuple[LedgerEntry, Picture]:
    """The best picture that can be had, and the entry with its URL.

    Raises the main picture's ImageRefused when none can.
    """
    refused: ImageRefused | None = None
    for url in entry.update.image_urls:
        try:
            picture = await pictures.fetch(ImageReference(url=url))
        except ImageRefused as error:
            refused = refused or error
        else:
            return entry.model_copy(update={"image_url": url}), picture
    raise refused or ImageRefused(f"{entry.key} has no picture", reason="no-picture")


async def _update_metadata(
    before: LedgerEntry, entry: LedgerEntry, parts: CatalogParts
) -> LedgerEntry | None:
    """Everything but the vector: no embedding. None when the vector store has lost the product."""
    if must_be_judged_anew(before, entry):
        attributes = await _judged_anew(entry, parts)
        if attributes is None:
            return None
        entry = entry.model_copy(update={"attributes": attributes})
    indexed = indexed_attributes(entry)
    digest = attributes_hash(indexed)
    if digest != before.attributes_hash:
        if not await parts.index.patch(entry.key, indexed):
            return None
        await parts.mirror.patch(entry.key, indexed)
    return entry.model_copy(update={"attributes_hash": digest})


async def _judged_anew(entry: LedgerEntry, parts: CatalogParts) -> StandardAttributes | None:
    """By the new texts; what they leave open is judged by the vector that the index has."""
    attributes = parts.standardiser.by_rules(entry.update)
    if is_complete(attributes):
        return attributes
    stored = await parts.index.get(entry.key)
    if stored is None:
        return None
    return await parts.standardiser.standardise(entry.update, stored.vector)


async def _embed(entry: LedgerEntry, picture: Picture, parts: CatalogParts) -> LedgerEntry:
    """Vector, attributes and thumbnail of a new picture."""
    vector = await parts.encoder.encode_image(picture.image)
    entry = entry.model_copy(
        update={
            "attributes": await parts.standardiser.standardise(entry.update, vector),
            "image_hash": picture.pixel_hash,
            "model": parts.encoder.fingerprint,
            "indexed": True,
        }
    )
    indexed = indexed_attributes(entry)
    await parts.index.upsert(entry.key, vector, indexed)
    await parts.mirror.upsert(entry.key, picture.image, indexed)
    await parts.thumbnails.put(entry.key, picture.image)
    return entry.model_copy(update={"attributes_hash": attributes_hash(indexed)})


async def _written(
    entry: LedgerEntry,
    decision: Decision,
    embeddings: int,
    position: str,
    parts: CatalogParts,
    now: Callable[[], datetime],
) -> Applied:
    """The ledger, last of all, and the change that it makes known."""
    if decision is Decision.UNCHANGED:
        # The last change stays the one before: if a crash loses its event, its replay emits it.
        await parts.ledger.write(entry)
        return Applied(decision, None, embeddings)
    entry = entry.model_copy(
        update={"last_position": position, "last_decision": decision, "changed_at": now()}
    )
    await parts.ledger.write(entry)
    return Applied(decision, change_of(entry), embeddings)


def _told(entry: LedgerEntry) -> tuple[object, ...]:
    """What a change event tells of a product, but for the version."""
    return entry.update.model_dump(), entry.attributes, entry.image_hash
