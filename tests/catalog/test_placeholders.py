"""A vendor's "no picture available" is recognised, and its products leave the index."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from operators.catalog.apply import Applied
from operators.catalog.placeholders import Placeholders
from schemas.catalog import Decision, LedgerEntry
from schemas.errors import Unavailable
from tests.catalog.small_shop import BLUE, KEY, RED_AGAIN, Stream, item, packet

TITLES = 5


@dataclass
class Feed:
    """Products of one vendor."""

    stream: Stream

    async def send(self, number: int, **changes: object) -> Applied:
        changes = {"name": f"Kurta {number}", **changes}
        return await self.stream.send(
            packet("upsert", number, item(**changes), product_id=str(number))
        )

    async def refresh(self, number: int) -> Applied:
        return await self.stream.send(packet("refresh", 0, product_id=str(number)))

    async def entry(self, number: int) -> LedgerEntry:
        entry = await self.stream.shop.ledger.read(f"shop:{number}")
        assert entry is not None
        return entry

    @property
    def indexed(self) -> set[str]:
        return set(self.stream.shop.index.objects)


@pytest.fixture
def feed() -> Feed:
    stream = Stream()
    stream.shop.placeholders = Placeholders(titles=TITLES)
    return Feed(stream)


async def test_the_picture_of_many_titles_is_refused(feed: Feed) -> None:
    for number in range(1, TITLES):
        assert (await feed.send(number)).decision is Decision.CREATED
    applied = await feed.send(TITLES)
    assert (applied.decision, applied.picture_pending) == (Decision.PENDING, "placeholder")


async def test_products_that_were_indexed_with_it_leave_the_index(feed: Feed) -> None:
    for number in range(1, TITLES + 1):
        await feed.send(number)
    due = feed.stream.shop.schedule.due
    at_once = {key for key, when in due.items() if when <= feed.stream.now}
    assert at_once == {f"shop:{number}" for number in range(1, TITLES)}
    for number in range(1, TITLES):
        applied = await feed.refresh(number)
        assert (applied.decision, applied.picture_pending) == (Decision.UPDATED, "placeholder")
        assert applied.change is not None
        assert applied.change.product is not None
        assert applied.change.product.image_hash == ""
    assert feed.indexed == set()
    assert feed.stream.shop.thumbnails.pictures == {}


async def test_the_sizes_of_a_garment_may_share_a_picture(feed: Feed) -> None:
    for number in range(1, 3 * TITLES):
        assert (await feed.send(number, name="Kurta")).decision is Decision.CREATED


async def test_another_picture_of_the_product_is_used(feed: Feed) -> None:
    for number in range(1, TITLES + 1):
        await feed.send(number)
    applied = await feed.send(TITLES + 1, pictures=[RED_AGAIN, BLUE])
    assert (applied.decision, applied.picture_pending) == (Decision.CREATED, None)
    assert (await feed.entry(TITLES + 1)).image_url == BLUE


async def test_vendors_are_counted_apart() -> None:
    placeholders = Placeholders(titles=2)
    found = [placeholders.record(f"{vendor}:1", vendor, "hash") for vendor in ("a", "b", "c")]
    assert found == [False, False, False]
    assert placeholders.record("a:2", "another", "hash")


async def test_pictures_that_are_counted_are_bounded() -> None:
    placeholders = Placeholders(titles=2, pictures=2)
    for picture in ("first", "second", "third"):
        placeholders.record("a:1", "a title", picture)
    assert not placeholders.record("a:2", "another", "first"), "it was the least used"
    assert placeholders.record("a:2", "another", "third")


async def test_a_restart_does_not_bring_a_placeholder_back(feed: Feed) -> None:
    for number in range(1, TITLES + 1):
        await feed.send(number)
    feed.stream.shop.placeholders = Placeholders(titles=TITLES)
    applied = await feed.refresh(TITLES)
    assert (applied.decision, applied.picture_pending) == (Decision.UNCHANGED, "placeholder")
    assert (await feed.entry(TITLES)).indexed is False


async def test_a_new_picture_ends_the_wait(feed: Feed) -> None:
    for number in range(1, TITLES + 1):
        await feed.send(number)
    applied = await feed.stream.send(
        packet("upsert", 99, item(pictures=[BLUE]), product_id=str(TITLES))
    )
    assert (applied.decision, applied.picture_pending) == (Decision.CREATED, None)


@pytest.mark.parametrize("crash_at", ["index", "ledger"])
async def test_a_crash_while_a_product_leaves_the_index(
    feed: Feed, monkeypatch: pytest.MonkeyPatch, crash_at: str
) -> None:
    for number in range(1, TITLES + 1):
        await feed.send(number)
    shop = feed.stream.shop
    marked: list[LedgerEntry] = []
    write = shop.ledger.write

    async def delete(key: str) -> None:
        raise Unavailable("crashed")

    async def write_mark(entry: LedgerEntry) -> None:
        if marked:
            raise Unavailable("crashed")
        marked.append(entry)
        await write(entry)

    with monkeypatch.context() as patched:
        if crash_at == "index":
            patched.setattr(shop.index, "delete", delete)
        else:
            patched.setattr(shop.ledger, "write", write_mark)
        with pytest.raises(Unavailable):
            await feed.refresh(1)
    shop.placeholders = Placeholders(titles=TITLES)  # as after a restart
    await feed.refresh(1)
    assert KEY not in feed.indexed
    assert (await feed.entry(1)).indexed is False
