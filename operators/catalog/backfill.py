"""Fill an index of another encoder with the products that the ledger knows, while flows go on.

Two write to the new index: this, and the catalog flow, which mirrors into it what it does
(:class:`operators.ports.Mirror`) before it writes the ledger. There is no compare-and-set, so a
write of ours may land on a newer one. It is found again: a pass compares every product with the
ledger and repairs what differs, and passes are made until one has found nothing to repair. After a
product was found right, only the flow writes to it; so once a whole pass wrote nothing, the new
index equals the ledger, and goes on doing so.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from operators.ports import (
    Filters,
    ImageTextEncoder,
    Ledger,
    Picture,
    PictureSource,
    Thumbnails,
    VectorStore,
)
from operators.vocabulary.views import indexed_attributes
from schemas.catalog import LedgerEntry
from schemas.errors import ImageRefused, PictureUnavailable, Unavailable
from schemas.looks import ImageReference

PAGE = 500
"""Ledger entries held at once."""

SETTLING_SECONDS = 0.5
"""A product that differs is looked at again after this: the flow may be between index and ledger.
Only saves work; it is the next pass that makes sure."""

OUTAGE_PAUSE_SECONDS = 1.0
LONGEST_OUTAGE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class BackfillParts:
    """What a backfill takes. ``index`` and ``encoder`` are the new ones."""

    ledger: Ledger
    pictures: PictureSource
    thumbnails: Thumbnails
    encoder: ImageTextEncoder
    index: VectorStore


@dataclass(slots=True)
class Pass:
    """What one pass over the ledger came to, in products."""

    products: int = 0
    """Alive and embedded, by the ledger."""
    embedded: int = 0
    of_them_by_thumbnail: int = 0
    """Their picture is away, or is another one than the ledger's."""
    patched: int = 0
    deleted: int = 0
    without_picture: list[str] = field(default_factory=list)
    """Keys: neither picture nor thumbnail can be had, so the new index lacks them."""

    @property
    def writes(self) -> int:
        return self.embedded + self.patched + self.deleted


async def backfill(parts: BackfillParts, window: int) -> Pass:
    """One pass, ``window`` products at once. Raises Unavailable when a part stays away for ten
    minutes; a pass may be made again at any time."""
    made = Pass()
    gate = asyncio.Semaphore(window)

    async def settle(key: str) -> None:
        async with gate:
            await _through_outages(key, parts, made)

    async for keys in _pages(parts.ledger):
        await asyncio.gather(*(settle(key) for key in keys))
    return made


async def _pages(ledger: Ledger) -> AsyncIterator[set[str]]:
    page: set[str] = set()
    async for entry in ledger.scan():
        page.add(entry.key)
        if len(page) == PAGE:
            yield page
            page = set()
    yield page


async def _through_outages(key: str, parts: BackfillParts, made: Pass) -> None:
    waited = 0.0
    while True:
        try:
            return await _settle(key, parts, made)
        except Unavailable:
            if waited >= LONGEST_OUTAGE_SECONDS:
                raise
            await asyncio.sleep(OUTAGE_PAUSE_SECONDS)
            waited += OUTAGE_PAUSE_SECONDS


async def _settle(key: str, parts: BackfillParts, made: Pass) -> None:
    """Bring one product of the new index in line with the ledger."""
    wrong = await _difference(key, parts)
    if wrong == "older":
        await asyncio.sleep(SETTLING_SECONDS)
        wrong = await _difference(key, parts)
    entry = await parts.ledger.read(key)
    if entry is None or not _is_indexed(entry):
        if wrong is not None:
            await parts.index.delete(key)
            made.deleted += 1
        return
    made.products += 1
    if wrong is None:
        return
    indexed = indexed_attributes(entry)
    stored = await parts.index.get(key)
    if stored is not None and stored.attributes.image_hash == indexed.image_hash:
        await parts.index.patch(key, indexed)
        made.patched += 1
        return
    picture = await _picture(entry, parts)
    if picture is None:
        made.without_picture.append(key)
        return
    made.of_them_by_thumbnail += picture.pixel_hash != entry.image_hash
    vector = await parts.encoder.encode_image(picture.image)
    if await parts.ledger.read(key) != entry:
        # It changed while it was embedded: what we hold is old, and the flow has written the new.
        # Counted, so that another pass looks at it.
        made.embedded += 1
        return
    await parts.index.upsert(key, vector, indexed)
    made.embedded += 1


async def _difference(key: str, parts: BackfillParts) -> str | None:
    """None: the new index is right about ``key``; else whether it lacks it or has it otherwise."""
    entry, stored = await parts.ledger.read(key), await parts.index.get(key)
    if entry is None or not _is_indexed(entry):
        return None if stored is None else "older"
    if stored is None:
        return "missing"
    return None if stored.attributes == indexed_attributes(entry) else "older"


def _is_indexed(entry: LedgerEntry) -> bool:
    return entry.exists and entry.indexed


async def _picture(entry: LedgerEntry, parts: BackfillParts) -> Picture | None:
    """The picture that the ledger tells of, or else its thumbnail."""
    if entry.image_url is not None:
        try:
            picture = await parts.pictures.fetch(ImageReference(url=entry.image_url))
        except (ImageRefused, PictureUnavailable):
            pass
        else:
            if picture.pixel_hash == entry.image_hash:
                return picture
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
    """Two indexes of the same products."""

    products: tuple[int, int]
    sampled: int
    agreement: float
    """Share of the ten nearest that both find, over the sampled products that both have. Two
    models differ by nature; an index that was filled wrongly has next to none."""


NEAREST = 10


async def compare(old: VectorStore, new: VectorStore, sample: int) -> Comparison:
    """Neighbours of the first ``sample`` products of a scan of ``new`` (which has no order)."""
    shares: list[float] = []
    everything = Filters(in_stock=False)
    async for key, _ in new.scan():
        if len(shares) == sample:
            break
        ours, theirs = await new.get(key), await old.get(key)
        if ours is None or theirs is None:
            continue
        found = [
            {c.key for c in await index.search(at.vector, everything, NEAREST)}
            for index, at in ((new, ours), (old, theirs))
        ]
        shares.append(len(found[0] & found[1]) / max(len(found[0]), 1))
    return Comparison(
        products=(await old.count(), await new.count()),
        sampled=len(shares),
        agreement=sum(shares) / len(shares) if shares else 1.0,
    )
