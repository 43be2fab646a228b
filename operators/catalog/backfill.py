"""Fill the index of a new encoder from the ledger while the catalog flow keeps running.

Two writers share the new index: this backfill, and the catalog flow, which mirrors its writes into
it before it writes the ledger (:class:`operators.ports.Mirror`). The vector store has no
compare-and-set, so a backfill write may overwrite a newer one. Repeated passes repair that: each
compares every product with the ledger and fixes what differs. A product that a pass finds correct
is from then on written by the flow alone, so after a pass without writes the new index equals the
ledger and stays equal.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from operators.concurrency import gather_or_cancel
from operators.picture import REDUCED_HASH
from operators.ports import (
    Filters,
    ImageTextEncoder,
    Ledger,
    Picture,
    PictureSource,
    Thumbnails,
    VectorStore,
    Wanted,
)
from operators.vocabulary.views import indexed_attributes
from schemas.catalog import LedgerEntry
from schemas.errors import ImageRefused, PictureUnavailable, Unavailable
from schemas.looks import ImageReference

PAGE = 500
"""Ledger entries held in memory at once."""

SETTLING_SECONDS = 0.5
"""A product that differs is compared again after this time: the flow may be between its index and
its ledger write. This only saves work; the next pass is what guarantees the result."""

OUTAGE_PAUSE_SECONDS = 1.0
LONGEST_OUTAGE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class BackfillParts:
    """The components of a backfill. ``index`` and ``encoder`` are the new ones."""

    ledger: Ledger
    pictures: PictureSource
    thumbnails: Thumbnails
    encoder: ImageTextEncoder
    index: VectorStore
    reduced_suffice: bool = False
    """Reduced pictures have all the pixels that the encoder takes."""
    thumbnails_first: bool = False
    """True: the vendors' servers are asked only for pictures without a thumbnail."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    """Waits for some seconds."""
    embedded: dict[str, str | None] = field(default_factory=dict)
    """Key -> hash of the picture whose vector this backfill wrote last. Such a write may come late,
    over a newer vector of the flow's; if the flow then patches the attributes, they are the
    ledger's, and only this field shows that the vector is not."""


@dataclass(slots=True)
class Pass:
    """The result of one pass over the ledger, in products."""

    products: int = 0
    """Existing and indexed, according to the ledger."""
    embedded: int = 0
    embedded_by_thumbnail: int = 0
    """Their picture is gone or no longer the one in the ledger, or thumbnails come first."""
    patched: int = 0
    deleted: int = 0
    without_picture: list[str] = field(default_factory=list)
    """Keys of products with neither picture nor thumbnail; the new index lacks them."""

    @property
    def writes(self) -> int:
        return self.embedded + self.patched + self.deleted


async def backfill(parts: BackfillParts, window: int) -> Pass:
    """Make one pass, ``window`` products at a time. It is always safe to make another.

    Raises Unavailable when a store or model stays unreachable for ten minutes.
    """
    result = Pass()
    gate = asyncio.Semaphore(window)

    async def repair(key: str) -> None:
        async with gate:
            await _retry_during_outages(key, parts, result)

    async for keys in _pages(parts.ledger):
        await gather_or_cancel(repair(key) for key in keys)
    return result


async def _pages(ledger: Ledger) -> AsyncIterator[set[str]]:
    page: set[str] = set()
    async for entry in ledger.scan():
        page.add(entry.key)
        if len(page) == PAGE:
            yield page
            page = set()
    yield page


async def _retry_during_outages(key: str, parts: BackfillParts, result: Pass) -> None:
    waited = 0.0
    while True:
        try:
            return await _repair(key, parts, result)
        except Unavailable:
            if waited >= LONGEST_OUTAGE_SECONDS:
                raise
            await parts.sleep(OUTAGE_PAUSE_SECONDS)
            waited += OUTAGE_PAUSE_SECONDS


async def _repair(key: str, parts: BackfillParts, result: Pass) -> None:
    """Make one product of the new index match the ledger."""
    difference = await _difference(key, parts)
    if difference == "outdated":
        await parts.sleep(SETTLING_SECONDS)
        difference = await _difference(key, parts)
    entry = await parts.ledger.read(key)
    if entry is None or not _is_indexed(entry):
        if difference is not None:
            await parts.index.delete(key)
            result.deleted += 1
        return
    if difference is not None:
        await _write(entry, parts, result)
    # Last, because an outage repeats everything above.
    result.products += 1


async def _write(entry: LedgerEntry, parts: BackfillParts, result: Pass) -> None:
    """Patch the product when its picture is the same, else embed it."""
    indexed = indexed_attributes(entry, datetime.now(UTC))
    stored = await parts.index.get(entry.key)
    if _may_hold_old_vector(entry, parts):
        stored = None
    if stored is not None and stored.attributes.image_hash == indexed.image_hash:
        await parts.index.patch(entry.key, indexed)
        result.patched += 1
        return
    picture = await _fetch_picture(entry, parts)
    if picture is None:
        result.without_picture.append(entry.key)
        return
    vector = await parts.encoder.encode_image(picture.image)
    # If the product changed during the embedding, the flow has written the new state. It still
    # counts as a write, so that another pass compares it.
    if await parts.ledger.read(entry.key) == entry:
        parts.embedded[entry.key] = entry.image_hash
        await parts.index.upsert(entry.key, vector, indexed)
        result.embedded_by_thumbnail += not picture.has_hash(entry.image_hash)
    result.embedded += 1


async def _difference(key: str, parts: BackfillParts) -> str | None:
    """How the new index differs from the ledger about ``key``: "missing", "outdated" or None."""
    entry, stored = await parts.ledger.read(key), await parts.index.get(key)
    if entry is None or not _is_indexed(entry):
        return None if stored is None else "outdated"
    if stored is None or _may_hold_old_vector(entry, parts):
        return "missing"
    same = stored.attributes == indexed_attributes(entry, datetime.now(UTC))
    return None if same else "outdated"


def _may_hold_old_vector(entry: LedgerEntry, parts: BackfillParts) -> bool:
    return parts.embedded.get(entry.key, entry.image_hash) != entry.image_hash


def _is_indexed(entry: LedgerEntry) -> bool:
    return entry.exists and entry.indexed


async def _fetch_picture(entry: LedgerEntry, parts: BackfillParts) -> Picture | None:
    """The ledger's picture or its thumbnail; None when there is neither."""
    sources = [_fetch_original, _read_thumbnail]
    for source in reversed(sources) if parts.thumbnails_first else sources:
        picture = await source(entry, parts)
        if picture is not None:
            return picture
    return None


async def _fetch_original(entry: LedgerEntry, parts: BackfillParts) -> Picture | None:
    if entry.image_url is None:
        return None
    try:
        # As it was hashed, if the encoder can take it so.
        reduced = parts.reduced_suffice and (entry.image_hash or "").startswith(REDUCED_HASH)
        wanted = Wanted(reduced, (entry.image_hash,))
        picture = await parts.pictures.fetch(ImageReference(url=entry.image_url), None, wanted)
    except (ImageRefused, PictureUnavailable):
        return None
    return picture if picture.has_hash(entry.image_hash) else None


async def _read_thumbnail(entry: LedgerEntry, parts: BackfillParts) -> Picture | None:
    thumbnail = await parts.thumbnails.get(entry.key)
    if thumbnail is None:
        return None
    try:
        encoded = ImageReference(data=base64.b64encode(thumbnail))
        return await parts.pictures.fetch(encoded)
    except ImageRefused:
        return None


@dataclass(frozen=True, slots=True)
class Comparison:
    """How well two indexes of the same products agree."""

    products: tuple[int, int]
    """In the old and in the new index."""
    sampled: int
    agreement: float
    """Mean share of common keys among the ten nearest neighbours of the sampled products. Two
    models never agree fully; an incorrectly filled index agrees hardly at all."""


NEAREST = 10


async def compare(old: VectorStore, new: VectorStore, sample: int) -> Comparison:
    """Compare the neighbours of ``sample`` products that both indexes hold.

    They are the first of a scan of ``new``, which has no order.
    """
    shares: list[float] = []
    everything = Filters(in_stock=False)
    async for key, _ in new.scan():
        if len(shares) == sample:
            break
        in_new, in_old = await new.get(key), await old.get(key)
        if in_new is None or in_old is None:
            continue
        found = [
            {c.key for c in await index.search(product.vector, everything, NEAREST)}
            for index, product in ((new, in_new), (old, in_old))
        ]
        shares.append(len(found[0] & found[1]) / max(len(found[0]), 1))
    return Comparison(
        products=(await old.count(), await new.count()),
        sampled=len(shares),
        agreement=sum(shares) / len(shares) if shares else 1.0,
    )
