"""Products that are not fashion: they stay in the ledger and out of the vector store."""

from __future__ import annotations

from operators.catalog.decide import needs_restandardising, picture_may_have_changed
from operators.catalog.parts import CatalogParts
from schemas.attributes import StandardAttributes
from schemas.catalog import LedgerEntry, Packet, PacketKind, ProductUpdate


async def known_not_fashion(
    alive: LedgerEntry | None,
    entry: LedgerEntry,
    packet: Packet,
    update: ProductUpdate | None,
    parts: CatalogParts,
) -> LedgerEntry | None:
    """``entry`` when it is not fashion, as far as that is known without fetching a picture.

    Its texts show it, or the encoder found it in the same picture. ``alive``: the entry before
    the packet, if the product existed.
    """
    kept_out = alive is not None and alive.attributes.not_fashion is not None
    same_texts = alive is not None and not needs_restandardising(alive, entry)
    if same_texts and not kept_out and packet.kind is not PacketKind.UPSERT:
        return None
    attributes = await parts.standardiser.by_rules(entry.update)
    if attributes.not_fashion is not None:
        return _without_picture(entry, attributes)
    if alive is None or not kept_out or not same_texts or alive.model not in parts.models:
        return None
    retried = packet.kind is PacketKind.REFRESH and alive.picture_pending is not None
    if retried or picture_may_have_changed(alive, entry, packet, update):
        return None
    return entry


def _without_picture(entry: LedgerEntry, attributes: StandardAttributes) -> LedgerEntry:
    """``entry`` recognised by its texts: it never uses a picture, whatever it was before."""
    return entry.model_copy(
        update={
            "attributes": attributes,
            "image_url": None,
            "image_hash": None,
            "model": None,
            "picture_pending": None,
        }
    )


async def keep_out(
    alive: LedgerEntry | None, entry: LedgerEntry, parts: CatalogParts
) -> LedgerEntry:
    """Remove the product from the vector store, if it may be there. Raises Unavailable."""
    if alive is not None and alive.indexed:
        await parts.index.delete(entry.key)
        await parts.mirror.delete(entry.key)
        await parts.thumbnails.delete(entry.key)
    return entry.model_copy(update={"indexed": False, "attributes_hash": None})
