"""Facts never wait for pictures, and pictures are not forgotten."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schemas.catalog import Decision
from schemas.errors import ImageRefused, InvalidUpdate, PictureUnavailable, Unavailable
from schemas.versions import TimeVersion
from tests.catalog.small_shop import BLUE, BROKEN, GREEN, KEY, RED, Stream, item, packet
from tests.doubles import plain_picture

MISSING = "file:///missing"


def away(stream: Stream, url: str, retry_after_seconds: float = 0.0) -> None:
    stream.shop.pictures.by_url[url] = PictureUnavailable(
        "the host answers 503", reason="http-status", retry_after_seconds=retry_after_seconds
    )


@pytest.mark.parametrize("failure", ["refused", "away"])
async def test_facts_are_applied_although_the_new_picture_is_missing(
    stream: Stream, failure: str
) -> None:
    await stream.send(packet("upsert", 1, item()))
    if failure == "away":
        away(stream, MISSING)
    changes = item(price="Rs. 900", stock=0, pictures=[MISSING])
    applied = await stream.send(packet("upsert", 2, changes))

    assert (applied.decision, applied.embeddings) == (Decision.UPDATED, 0)
    assert applied.change is not None
    assert applied.change.picture_pending is not None
    assert applied.change.product is not None
    assert applied.change.product.update.stock == 0
    entry = await stream.entry()
    assert (entry.image_url, entry.version) == (RED, 2)
    assert entry.update.price is not None
    assert entry.update.price.amount_minor == 900_00
    stored = await stream.shop.index.get(KEY)
    assert stored is not None
    assert not stored.attributes.in_stock
    assert stream.shop.index.upserts == [KEY], "the old vector stays"


async def test_a_blank_picture_is_passed_over(stream: Stream) -> None:
    stream.shop.pictures.blank = {RED}
    applied = await stream.send(packet("upsert", 1, item(pictures=[RED, BLUE])))
    assert (applied.decision, applied.picture_pending) == (Decision.CREATED, None)
    assert (await stream.entry()).image_url == BLUE


async def test_a_product_with_blank_pictures_only_waits_for_another(stream: Stream) -> None:
    stream.shop.pictures.blank = {RED}
    applied = await stream.send(packet("upsert", 1, item()))
    assert (applied.decision, applied.picture_pending) == (Decision.PENDING, "blank")
    assert await stream.shop.index.count() == 0


async def test_a_new_product_waits_for_its_picture(stream: Stream) -> None:
    away(stream, RED)
    applied = await stream.send(packet("upsert", 1, item()))

    assert (applied.decision, applied.picture_pending) == (Decision.PENDING, "http-status")
    assert applied.change is not None
    assert applied.change.product is not None
    assert applied.change.product.image_hash == ""
    assert await stream.shop.index.count() == 0
    stream.shop.pictures.by_url[RED] = plain_picture("red")
    applied = await stream.refresh()
    assert (applied.decision, applied.embeddings) == (Decision.CREATED, 1)
    assert applied.change is not None
    assert applied.change.picture_pending is None
    assert stream.shop.schedule.due == {}


async def test_patches_of_a_waiting_product_are_applied_without_asking_the_host(
    stream: Stream,
) -> None:
    away(stream, RED)
    await stream.send(packet("upsert", 1, item()))
    asked = len(stream.shop.pictures.fetched)
    applied = await stream.send(packet("upsert", 1, item()))
    assert (applied.decision, len(stream.shop.pictures.fetched)) == (Decision.STALE, asked)
    applied = await stream.send(packet("patch", 2, {"stock": 0}))
    assert applied.decision is Decision.UPDATED
    assert (await stream.entry()).update.stock == 0


async def test_a_replayed_packet_publishes_its_pending_product_again(stream: Stream) -> None:
    away(stream, RED)
    sent = packet("upsert", 1, item())
    first = await stream.send(sent)
    assert (await stream.replay(sent, 1)).change == first.change


async def test_a_passing_failure_goes_on_to_the_next_picture_and_comes_back(
    stream: Stream,
) -> None:
    away(stream, BLUE)
    applied = await stream.send(packet("upsert", 1, item(pictures=[BLUE, GREEN])))
    assert applied.decision is Decision.CREATED
    assert (await stream.entry()).image_url == GREEN
    stream.shop.pictures.by_url[BLUE] = plain_picture("blue")
    applied = await stream.refresh()
    assert applied.decision is Decision.REEMBEDDED
    assert ((await stream.entry()).image_url, stream.shop.schedule.due) == (BLUE, {})


async def test_a_picture_refused_for_good_is_replaced_by_the_next_without_a_retry(
    stream: Stream,
) -> None:
    applied = await stream.send(packet("upsert", 1, item(pictures=[BROKEN, GREEN])))
    assert (applied.decision, stream.shop.schedule.due) == (Decision.CREATED, {})


async def test_pauses_grow_and_end(stream: Stream) -> None:
    away(stream, RED)
    await stream.send(packet("upsert", 1, item()))
    began = stream.now
    pauses = []
    while KEY in stream.shop.schedule.due:
        last = stream.now
        applied = await stream.refresh()
        assert applied.decision is Decision.UNCHANGED
        pauses.append(stream.now - last)
    assert timedelta(seconds=55) < pauses[0] < timedelta(seconds=80)
    assert pauses[:6] == sorted(pauses[:6])
    assert max(pauses) < timedelta(days=1.3)
    assert timedelta(days=25) < stream.now - began < timedelta(days=31)


async def test_the_host_says_when_to_come_back(stream: Stream) -> None:
    away(stream, RED, retry_after_seconds=7200)
    await stream.send(packet("upsert", 1, item()))
    assert stream.shop.schedule.due[KEY] >= stream.now + timedelta(hours=2)


async def test_another_picture_begins_anew(stream: Stream) -> None:
    away(stream, RED)
    await stream.send(packet("upsert", 1, item()))
    await stream.refresh()
    away(stream, BLUE)
    await stream.send(packet("upsert", 2, item(pictures=[BLUE])))
    pending = (await stream.entry()).picture_pending
    assert pending is not None
    assert (pending.attempts, pending.since) == (1, stream.now)


async def test_a_deleted_product_is_not_tried_again(stream: Stream) -> None:
    away(stream, RED)
    await stream.send(packet("upsert", 1, item()))
    await stream.send(packet("delete", 2))
    assert stream.shop.schedule.due == {}
    assert (await stream.send(packet("refresh", 0))).decision is Decision.STALE


async def test_a_left_over_refresh_of_a_deleted_product_is_removed(stream: Stream) -> None:
    """As after a crash between the ledger's write and the schedule's."""
    await stream.send(packet("upsert", 1, item()))
    await stream.send(packet("delete", 2))
    await stream.shop.schedule.set(KEY, stream.now)
    assert (await stream.send(packet("refresh", 0))).decision is Decision.STALE
    assert stream.shop.schedule.due == {}


async def test_our_own_outage_makes_no_picture_pending(stream: Stream) -> None:
    stream.shop.pictures.by_url[RED] = Unavailable("no decoder is free")
    with pytest.raises(Unavailable):
        await stream.send(packet("upsert", 1, item()))
    assert stream.shop.ledger.entries == {}


async def test_a_product_without_pictures_is_known_and_not_searchable(stream: Stream) -> None:
    stream.shop.pictures.by_url[RED] = ImageRefused("gone", reason="not-found")
    applied = await stream.send(packet("upsert", 1, item()))
    assert (applied.decision, applied.picture_pending) == (Decision.PENDING, "not-found")
    assert stream.shop.schedule.due[KEY] >= stream.now + timedelta(days=1)


@pytest.mark.parametrize("version", [2**63 - 1, 4 * 10**18])
async def test_a_version_that_nothing_could_exceed_is_refused(stream: Stream, version: int) -> None:
    with pytest.raises(Exception, match="version") as refused:
        await stream.send(packet("upsert", version, item()))
    assert getattr(refused.value, "reason", None) == "future-version"


async def test_a_vendors_clock_may_be_a_day_ahead(stream: Stream) -> None:
    tomorrow = int(1e9 * (stream.now + timedelta(days=1)).timestamp())
    applied = await stream.send(packet("upsert", tomorrow, item()))
    assert applied.decision is Decision.CREATED
    with pytest.raises(InvalidUpdate, match="later than any clock"):
        await stream.send(packet("upsert", tomorrow + 10 * 10**9, item()))


@pytest.mark.parametrize("ended", [False, True])
async def test_a_wrong_version_can_be_forgotten(stream: Stream, ended: bool) -> None:
    await stream.send(packet("upsert", 10**15, item()))
    if ended:
        await stream.send(packet("delete", 10**15))
    assert (await stream.send(packet("upsert", 7, item()))).decision is Decision.STALE
    await stream.send(packet("forget-version", 0))
    applied = await stream.send(packet("upsert", 7, item(price="Rs. 5")))
    assert applied.decision is (Decision.CREATED if ended else Decision.UPDATED)
    assert (await stream.entry()).version == 7


async def test_versions_that_are_times_are_bounded_by_the_clock(stream: Stream) -> None:
    later = stream.now + timedelta(hours=25)
    with pytest.raises(InvalidUpdate, match="a clock may be ahead"):
        await stream.send(packet("upsert", TimeVersion.of(later), item()))
    early = TimeVersion.of(later - timedelta(hours=2))
    assert (await stream.send(packet("upsert", early, item()))).decision is Decision.CREATED
    # The same number may be a counter, or a date written as one.
    for number in (int(TimeVersion.of(later)), 20261126103000123):
        applied = await stream.send(packet("upsert", number, item(price=f"Rs. {number % 97}")))
        assert applied.decision is Decision.UPDATED
