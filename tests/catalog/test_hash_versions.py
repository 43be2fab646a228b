"""A stored hash of the earlier version stays valid: its picture moves to the new one as it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from operators.catalog.apply import Applied
from operators.catalog.backfill import backfill
from operators.catalog.placeholders import Placeholders
from operators.picture import REDUCED_HASH
from schemas.catalog import Decision
from tests.catalog.index_switch import Switch
from tests.catalog.small_shop import BLUE, KEY, RED, RED_AGAIN, Stream, item, packet
from tests.doubles import pixel_hash, plain_picture

EARLIER = pixel_hash(plain_picture("red"))
LATER = REDUCED_HASH + EARLIER


@pytest.fixture
async def upgraded() -> Stream:
    """A product of the time before, in a shop that fetches reduced pictures now."""
    stream = Stream()
    await stream.send(packet("upsert", 1, item()))
    assert (await stream.entry()).image_hash == EARLIER
    stream.shop.reduced_suffice = True
    stream.shop.encoder.images.clear()
    return stream


async def show(stream: Stream, version: int, *urls: str) -> Applied:
    return await stream.send(packet("patch", version, {"pictures": list(urls)}))


@pytest.mark.parametrize("url", [RED, RED_AGAIN])
async def test_the_same_picture_moves_to_the_new_version_without_being_embedded(
    upgraded: Stream, url: str
) -> None:
    applied = await show(upgraded, 2, url)
    assert (applied.decision, applied.embeddings) == (Decision.UPDATED, 0)
    assert applied.change is not None
    assert applied.change.product is not None
    assert applied.change.product.image_hash == LATER
    assert (await upgraded.entry()).image_hash == LATER
    assert upgraded.shop.index.objects[KEY][1].image_hash == LATER
    assert upgraded.shop.encoder.images == []
    # From then on there is nothing to move.
    assert (await show(upgraded, 3, url)).decision is Decision.UNCHANGED


async def test_another_picture_is_embedded(upgraded: Stream) -> None:
    applied = await show(upgraded, 2, BLUE)
    assert (applied.decision, applied.embeddings) == (Decision.REEMBEDDED, 1)
    assert (await upgraded.entry()).image_hash == REDUCED_HASH + pixel_hash(plain_picture("blue"))


async def test_a_product_whose_picture_is_not_fetched_keeps_its_hash(upgraded: Stream) -> None:
    await upgraded.send(packet("upsert", 2, item(price="Rs. 900")))
    assert (await upgraded.entry()).image_hash == EARLIER
    assert upgraded.shop.pictures.fetched == [RED]


async def test_while_another_index_is_filled_pictures_are_whole(upgraded: Stream) -> None:
    parts = upgraded.shop.parts()
    assert parts.reduces_pictures
    mirror = Switch(upgraded.shop).mirror
    assert mirror.fingerprint is not None
    assert not replace(parts, mirror=mirror).reduces_pictures


async def test_a_known_placeholder_stays_one() -> None:
    stream = Stream()
    stream.shop.placeholders = Placeholders(titles=2)
    await stream.send(packet("upsert", 1, item(name="Another"), product_id="2"))
    await stream.send(packet("upsert", 1, item()))
    pending = (await stream.entry()).picture_pending
    assert pending is not None
    assert pending.placeholder == EARLIER
    stream.shop.placeholders = Placeholders(titles=2)  # a restart
    stream.shop.reduced_suffice = True
    await stream.refresh()
    moved = (await stream.entry()).picture_pending
    assert moved is not None
    assert (moved.reason, moved.placeholder) == ("placeholder", LATER)


@pytest.mark.parametrize("reduced_suffice", [True, False])
async def test_a_new_index_is_filled_from_pictures_of_either_version(
    upgraded: Stream, reduced_suffice: bool
) -> None:
    await show(upgraded, 2, RED)
    await upgraded.send(packet("upsert", 1, item(), product_id="2"))
    upgraded.shop.reduced_suffice = False
    await upgraded.send(packet("upsert", 1, item(pictures=[BLUE]), product_id="3"))
    filling = replace(Switch(upgraded.shop).filling, reduced_suffice=reduced_suffice)
    result = await backfill(filling, window=1)
    assert (result.embedded, result.embedded_by_thumbnail) == (3, 0)
