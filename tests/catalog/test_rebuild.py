"""A lost ledger, rebuilt from catalog.changes and the index: what is the same again, and when."""

from __future__ import annotations

from datetime import UTC, datetime

from doubles import InMemoryIndex, InMemoryLedger
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_shop import BLUE, KEY, RED, Shop, item, packet
from test_replay_property import histories

from operators.catalog.apply import apply_packet
from operators.catalog.rebuild import Rebuilt, rebuild_ledger
from schemas.catalog import LedgerEntry, Packet, ProductChange

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HISTORY = {"last_position", "last_decision", "changed_at"}
"""Of an entry: which packet changed it last, not what it is."""


async def apply(log: list[Packet], shop: Shop) -> list[ProductChange]:
    """What comes on catalog.changes; it goes through JSON as on a topic."""
    changes = []
    for offset, one in enumerate(log):
        applied = await apply_packet(one, f"catalog.updates/0/{offset}", shop.parts(), lambda: NOW)
        if applied.change is not None:
            changes.append(ProductChange.model_validate_json(applied.change.model_dump_json()))
    return changes


async def rebuild(changes: list[ProductChange], shop: Shop) -> Rebuilt:
    """Into whatever ledger ``shop`` has."""
    return await rebuild_ledger(changes, shop.index, shop.ledger, shop.encoder.fingerprint)


async def entries(shop: Shop, *, without: set[str] | None = None) -> dict[str, object]:
    # image_url: which of a product's pictures could be had is not told by a change.
    left_out = {"image_url", *(without or ())}
    return {entry.key: entry.model_dump(exclude=left_out) async for entry in shop.ledger.scan()}


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(log=histories(), lost=st.integers(0, 20))
async def test_a_replay_brings_back_the_ledger_as_it_was(log: list[Packet], lost: int) -> None:
    """Whatever came in whatever order, and however many changes were not published any more."""
    shop = Shop()
    changes = await apply(log, shop)
    before, indexed = await entries(shop, without=HISTORY), dict(shop.index.objects)

    shop.ledger = InMemoryLedger()
    await rebuild(changes[: len(changes) - lost] if lost < 3 else changes, shop)
    rebuilt = await entries(shop, without=HISTORY)
    await apply(log, shop)

    assert await entries(shop, without=HISTORY) == before
    assert shop.index.objects.keys() == indexed.keys()
    assert {key: stored[1] for key, stored in shop.index.objects.items()} == {
        key: stored[1] for key, stored in indexed.items()
    }
    assert rebuilt.keys() <= before.keys()


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(log=histories())
async def test_what_exists_and_what_was_deleted_is_known_at_once(log: list[Packet]) -> None:
    shop = Shop()
    changes = await apply(log, shop)
    told = {change.key: change for change in changes}
    before = [entry async for entry in shop.ledger.scan() if entry.key in told]

    shop.ledger = InMemoryLedger()
    await rebuild(changes, shop)
    for entry in before:
        after = await shop.ledger.read(entry.key)
        assert after is not None
        assert after.exists == entry.exists
        assert (after.update, after.attributes) == (entry.update, entry.attributes) or not (
            entry.exists
        )
        assert (after.indexed, after.model, after.image_hash, after.attributes_hash) == (
            entry.indexed,
            entry.model,
            entry.image_hash,
            entry.attributes_hash,
        )


async def test_a_ledger_whose_every_packet_made_a_change_is_the_same_at_once() -> None:
    shop = Shop()
    log = [
        packet("upsert", 1, item()),
        packet("patch", 5, {"price": "Rs. 4,000"}),
        packet("upsert", 3, item(brand="Nima")),  # late: everything but the price
        packet("upsert", 1, item(pictures=[BLUE]), product_id="2"),
        packet("delete", 2, product_id="2"),
    ]
    changes = await apply(log, shop)
    before = await entries(shop)

    shop.ledger = InMemoryLedger()
    rebuilt = await rebuild(changes, shop)

    assert await entries(shop) == before
    assert rebuilt == Rebuilt(changes=5, products=1, tombstones=1)


async def test_a_deleted_product_stays_deleted() -> None:
    shop = Shop()
    changes = await apply([packet("upsert", 1, item()), packet("delete", 9)], shop)
    shop.ledger = InMemoryLedger()
    await rebuild(changes, shop)
    assert await apply([packet("upsert", 5, item())], shop) == []
    assert KEY not in shop.index.objects


async def test_a_product_that_only_the_index_knows_waits_for_its_upsert() -> None:
    shop = Shop()
    await apply([packet("upsert", 4, item())], shop)
    before = await entries(shop, without=HISTORY)
    embedded = len(shop.encoder.images)

    shop.ledger = InMemoryLedger()
    rebuilt = await rebuild([], shop)
    entry = await shop.ledger.read(KEY)
    assert rebuilt == Rebuilt(known_by_index_only=1)
    assert entry is not None
    assert entry.exists
    assert (entry.version, entry.update.price, entry.update.title) == (-1, None, "")

    await apply([packet("upsert", 4, item())], shop)
    assert await entries(shop, without=HISTORY) == before
    assert len(shop.encoder.images) == embedded, "the same picture is not embedded again"


async def test_a_product_that_the_index_lost_is_embedded_by_its_next_packet() -> None:
    shop = Shop()
    changes = await apply([packet("upsert", 1, item())], shop)
    shop.index, shop.ledger = InMemoryIndex(), InMemoryLedger()
    assert (await rebuild(changes, shop)).not_indexed == 1
    await apply([packet("patch", 2, {"stock": 3})], shop)
    assert KEY in shop.index.objects


async def test_a_ledger_that_is_there_is_only_set_right_against_the_index() -> None:
    """Run over a ledger that was not lost: nothing older replaces anything."""
    shop = Shop()
    changes = await apply([packet("upsert", 1, item()), packet("upsert", 2, item())], shop)
    before = await entries(shop)
    assert [change.version for change in changes] == [1]  # the second one changed nothing
    await rebuild(changes, shop)
    assert await entries(shop) == before
    shop.index = InMemoryIndex()
    assert (await rebuild(changes, shop)).not_indexed == 1


async def test_an_index_that_has_what_was_deleted_is_named_and_never_believed() -> None:
    shop = Shop()
    changes = await apply([packet("upsert", 1, item()), packet("delete", 2)], shop)
    await apply([packet("upsert", 1, item(pictures=[RED]), product_id="x")], other := Shop())
    shop.index.objects[KEY] = other.index.objects["shop:x"]
    shop.ledger = InMemoryLedger()
    rebuilt = await rebuild(changes, shop)
    assert rebuilt.deleted_but_indexed == [KEY]
    entry = await shop.ledger.read(KEY)
    assert entry is not None
    assert not entry.exists


async def test_changes_of_a_version_that_told_less_are_taken_as_upserts() -> None:
    shop = Shop()
    (change,) = await apply([packet("upsert", 7, item())], shop)
    written = change.model_dump(exclude={"position", "upsert_version", "patched"})
    shop.ledger = InMemoryLedger()
    await rebuild([ProductChange.model_validate(written)], shop)
    entry = await shop.ledger.read(KEY)
    assert isinstance(entry, LedgerEntry)
    assert (entry.version, entry.patched) == (7, {})
