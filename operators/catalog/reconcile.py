"""Make the vector store match a ledger entry, embedding only what must be embedded.

Facts never wait for a picture. When none of a product's pictures can be fetched, its price, stock
and texts are still applied: a searchable product keeps its old vector, a new one waits. Products
that are not fashion, or whose picture turns out to be a placeholder, stay in the ledger only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from operators.catalog.decide import needs_restandardising
from operators.catalog.facts import (
    decision_on,
    is_embedded,
    must_fetch,
    patch_index,
    shows_placeholder,
)
from operators.catalog.kept_out import keep_out, known_not_fashion
from operators.catalog.parts import CatalogParts
from operators.catalog.standardise import is_complete
from operators.ports import Picture, Wanted
from operators.vocabulary.views import attributes_hash, indexed_attributes
from schemas.attributes import StandardAttributes
from schemas.catalog import (
    Decision,
    LedgerEntry,
    Packet,
    PendingPicture,
    ProductUpdate,
)
from schemas.errors import ImageRefused, PictureUnavailable
from schemas.looks import ImageReference


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The outcome for a product."""

    entry: LedgerEntry
    """To be written to the ledger."""
    decision: Decision
    embeddings: int = 0


async def reconcile(
    before: LedgerEntry | None,
    entry: LedgerEntry,
    packet: Packet,
    update: ProductUpdate | None,
    parts: CatalogParts,
    now: datetime,
) -> Reconciled:
    """Make vector store and thumbnail match ``entry``. Raises Unavailable."""
    alive = before if before is not None and before.exists else None
    not_fashion = await known_not_fashion(alive, entry, packet, update, parts)
    if not_fashion is not None:
        entry = await keep_out(alive, not_fashion, parts)
        return Reconciled(entry, decision_on(alive, entry, now))
    embedded = alive if alive is not None and is_embedded(alive, parts.models) else None
    if embedded is not None and shows_placeholder(embedded, parts):
        entry = await _remove_placeholder(embedded, entry, parts, now)
        embedded = None
    fetched = None
    if embedded is None or must_fetch(embedded, entry, packet, update):
        fetched = await _fetch_first_usable_image(entry, parts, now)
        entry = _with_outcome(entry, alive, fetched, now)

    picture = fetched.picture if fetched else None
    if embedded is not None and (picture is None or picture.has_hash(embedded.image_hash)):
        if picture is not None:
            # The same pixels; their hash may be of another version (docs/decisions/172).
            entry = entry.model_copy(update={"image_hash": picture.pixel_hash})
        updated = await _update_metadata(embedded, entry, parts, now)
        if updated is not None:
            return Reconciled(updated, decision_on(embedded, updated, now))
        # The vector store has lost the product (a crash, a rebuilt index): embed it again.
        if fetched is None:
            fetched = await _fetch_first_usable_image(entry, parts, now)
            entry = _with_outcome(entry, alive, fetched, now)
            picture = fetched.picture
    if picture is None:
        attributes = await parts.standardiser.by_rules(entry.update)
        waiting = entry.model_copy(update={"attributes": attributes, "indexed": False})
        return Reconciled(
            waiting, Decision.PENDING if alive is None else decision_on(alive, waiting, now)
        )
    entry = await _embed(alive, entry, picture, parts, now)
    if entry.attributes.not_fashion is not None:
        return Reconciled(entry, decision_on(alive, entry, now), 1)
    known = alive is not None and alive.image_hash is not None
    return Reconciled(entry, Decision.REEMBEDDED if known else Decision.CREATED, 1)


@dataclass(frozen=True, slots=True)
class _Fetched:
    """A product's best picture."""

    picture: Picture | None
    url: str | None
    failure: ImageRefused | PictureUnavailable | None
    """Why to retry: no picture could be fetched, or the host of a better one did not answer."""
    placeholder: str | None = None
    """Pixel hash of the best picture that is a placeholder."""


async def _fetch_first_usable_image(
    entry: LedgerEntry, parts: CatalogParts, now: datetime
) -> _Fetched:
    """The first picture that can be fetched now and shows the product."""
    refused: ImageRefused | None = None
    away: PictureUnavailable | None = None
    placeholder: str | None = None
    pending = entry.picture_pending
    known = (entry.image_hash, None if pending is None else pending.placeholder)
    wanted = Wanted(parts.reduces_pictures, known)
    for url in entry.update.image_urls:
        try:
            vendor = entry.key.partition(":")[0]
            picture = await parts.pictures.fetch(ImageReference(url=url), vendor, wanted)
        except ImageRefused as error:
            refused = refused or error
        except PictureUnavailable as error:
            away = away or error
        else:
            if picture.blank:
                unusable = ImageRefused("the picture has one colour all over", reason="blank")
            elif await _is_placeholder(picture, entry, parts, now):
                placeholder = placeholder or picture.pixel_hash
                unusable = ImageRefused("many products have this picture", reason="placeholder")
            else:
                return _Fetched(picture, url, away)
            refused = refused or unusable
    missing = ImageRefused(f"image_urls: {entry.key} has no picture", reason="no-picture")
    return _Fetched(None, None, away or refused or missing, placeholder)


async def _is_placeholder(
    picture: Picture, entry: LedgerEntry, parts: CatalogParts, now: datetime
) -> bool:
    """Whether many products have ``picture``; those indexed with it are refreshed at ``now``."""
    pending = entry.picture_pending
    if pending is not None and picture.has_hash(pending.placeholder):
        return True
    if not parts.placeholders.record(entry.key, entry.update.title, picture.pixel_hash):
        return False
    earlier = parts.placeholders.products_of(entry.key, picture.pixel_hash)
    for key in sorted(earlier):
        await parts.schedule.set(key, now)
        earlier.discard(key)
    return True


async def _remove_placeholder(
    embedded: LedgerEntry, entry: LedgerEntry, parts: CatalogParts, now: datetime
) -> LedgerEntry:
    """``entry`` without the picture of ``embedded``, and out of the vector store.

    The ledger is marked first: a replay after a crash no longer knows the placeholder.
    """
    mark = PendingPicture(
        reason="placeholder",
        refused=True,
        since=now,
        last_try=now,
        attempts=1,
        placeholder=embedded.image_hash,
    )
    await parts.ledger.write(embedded.model_copy(update={"picture_pending": mark}))
    entry = await keep_out(embedded, entry, parts)
    return entry.model_copy(update={"image_url": None, "image_hash": None, "model": None})


def _with_outcome(
    entry: LedgerEntry, before: LedgerEntry | None, fetched: _Fetched, now: datetime
) -> LedgerEntry:
    """``entry`` with the URL of its picture, and with what is pending."""
    if fetched.failure is None:
        return entry.model_copy(update={"image_url": fetched.url, "picture_pending": None})
    same = before is not None and before.update.image_urls == entry.update.image_urls
    earlier = before.picture_pending if before is not None and same else None
    pending = PendingPicture(
        reason=fetched.failure.reason,
        refused=isinstance(fetched.failure, ImageRefused),
        since=now if earlier is None else earlier.since,
        last_try=now,
        attempts=1 if earlier is None else earlier.attempts + 1,
        retry_after_seconds=(
            fetched.failure.retry_after_seconds
            if isinstance(fetched.failure, PictureUnavailable)
            else 0.0
        ),
        placeholder=fetched.placeholder,
    )
    url = entry.image_url if fetched.url is None else fetched.url
    return entry.model_copy(update={"image_url": url, "picture_pending": pending})


async def _update_metadata(
    before: LedgerEntry, entry: LedgerEntry, parts: CatalogParts, now: datetime
) -> LedgerEntry | None:
    """Update the attributes and keep the vector. None when the vector store lost the product."""
    if needs_restandardising(before, entry):
        attributes = await _restandardise(entry, parts)
        if attributes is None:
            return None
        entry = entry.model_copy(update={"attributes": attributes})
        if attributes.not_fashion is not None:
            return await keep_out(before, entry, parts)
    indexed = indexed_attributes(entry, now)
    digest = attributes_hash(indexed)
    if digest != before.attributes_hash and not await patch_index(entry.key, indexed, parts):
        return None
    return entry.model_copy(update={"attributes_hash": digest})


async def _restandardise(entry: LedgerEntry, parts: CatalogParts) -> StandardAttributes | None:
    """Attributes from the new texts, completed from the vector in the index; None without one."""
    attributes = await parts.standardiser.by_rules(entry.update)
    if is_complete(attributes):
        return attributes
    stored = await parts.index.get(entry.key)
    if stored is None:
        return None
    return await parts.standardiser.standardise(entry.update, stored.vector)


async def _embed(
    alive: LedgerEntry | None,
    entry: LedgerEntry,
    picture: Picture,
    parts: CatalogParts,
    now: datetime,
) -> LedgerEntry:
    """Embed ``picture``, standardise, and write vector, attributes and thumbnail of fashion."""
    vector = await parts.vectors.vector_of(picture)
    entry = entry.model_copy(
        update={
            "attributes": await parts.standardiser.standardise(entry.update, vector),
            "image_hash": picture.pixel_hash,
            "model": parts.encoder.fingerprint,
            "indexed": True,
        }
    )
    if entry.attributes.not_fashion is not None:
        return await keep_out(alive, entry, parts)
    indexed = indexed_attributes(entry, now)
    await parts.index.upsert(entry.key, vector, indexed)
    await parts.mirror.upsert(entry.key, picture.image, indexed)
    await parts.thumbnails.put(entry.key, picture.image)
    return entry.model_copy(update={"attributes_hash": attributes_hash(indexed)})
