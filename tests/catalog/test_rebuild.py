"""A lost ledger rebuilt from catalog.changes and the index, with and without a replay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from operators.catalog.apply import apply_packet
from operators.catalog.rebuild import RebuildParts, Rebuilt, rebuild_ledger
from schemas.catalog import LedgerEntry, Packet, ProductChange
from schemas.money import Money
from tests.catalog.small_shop import BLUE, KEY, RED, Shop, item, packet
from tests.catalog.test_replay_property import histories
from tests.doubles import InMemoryIndex, InMemoryLedger, InMemorySchedule

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HISTORY = {"last_position", "last_decision", "changed_at"}
"""Fields about the packet that last changed an entry."""


async def apply(log: list[Packet], shop: Shop) -> list[ProductChange]:
    """The records on catalog.changes, each after a round trip through JSON."""
    changes = []
    for offset, one in enumerate(log):
        applied = await apply_packet(one, f"catalog.updates/0/{offset}", shop.parts(), lambda: NOW)
        if applied.change is not None:
            changes.append(ProductChange.model_validate_json(applied.change.model_dump_json()))
    return changes


async def rebuild(changes: list[ProductChange], shop: Shop) -> Rebuilt:
    """Rebuild the ledger of ``shop``."""
    parts = RebuildParts(shop.index, shop.encoder.fingerprint, shop.ledger, shop.schedule)
    return await rebuild_ledger(changes, parts, NOW)


async def entries(shop: Shop, *, without: set[str] | None = None) -> dict[str, object]:
    # A change does not carry image_url, the picture that could be loaded.
    left_out = {"image_url", *(without or ())}
    return {entry.key: entry.model_dump(exclude=left_out) async for entry in shop.ledger.scan()}


@settings(max_examples=80)
@given(log=histories(), lost=st.integers(0, 20))
async def test_a_replay_restores_the_lost_ledger(log: list[Packet], lost: int) -> None:
    """Packets in any order, the last changes possibly unpublished."""
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


@settings(max_examples=80)
@given(log=histories())
async def test_existing_and_deleted_products_are_known_before_a_replay(log: list[Packet]) -> None:
    shop = Shop()
    changes = await apply(log, shop)
    changed = {change.key for change in changes}
    before = [entry async for entry in shop.ledger.scan() if entry.key in changed]

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


async def test_without_unchanged_packets_the_ledger_is_restored_without_a_replay() -> None:
    shop = Shop()
    log = [
        packet("upsert", 1, item()),
        packet("patch", 5, {"price": "Rs. 4,000"}),
        packet("upsert", 3, item(brand="Nima")),  # late: sets everything but the price
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


async def test_a_product_found_only_in_the_index_gets_its_texts_from_its_upsert() -> None:
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
    assert (entry.version, entry.update.price, entry.update.title) == (None, None, "")

    await apply([packet("upsert", 4, item())], shop)
    assert await entries(shop, without=HISTORY) == before
    assert len(shop.encoder.images) == embedded, "the same picture is not embedded again"


async def test_a_product_missing_from_the_index_is_embedded_by_its_next_packet() -> None:
    shop = Shop()
    changes = await apply([packet("upsert", 1, item())], shop)
    shop.index, shop.ledger = InMemoryIndex(), InMemoryLedger()
    assert (await rebuild(changes, shop)).not_indexed == 1
    await apply([packet("patch", 2, {"stock": 3})], shop)
    assert KEY in shop.index.objects


async def test_rebuilding_an_intact_ledger_replaces_nothing_newer() -> None:
    shop = Shop()
    changes = await apply([packet("upsert", 1, item()), packet("upsert", 2, item())], shop)
    before = await entries(shop)
    assert [change.version for change in changes] == [1]  # the second one changed nothing
    await rebuild(changes, shop)
    assert await entries(shop) == before
    shop.index = InMemoryIndex()
    assert (await rebuild(changes, shop)).not_indexed == 1


async def test_a_deleted_product_in_the_index_is_reported_and_stays_deleted() -> None:
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


async def test_changes_in_the_old_format_are_upserts() -> None:
    shop = Shop()
    (change,) = await apply([packet("upsert", 7, item())], shop)
    old_format = change.model_dump(exclude={"position", "upsert_version", "patched"})
    shop.ledger = InMemoryLedger()
    await rebuild([ProductChange.model_validate(old_format)], shop)
    entry = await shop.ledger.read(KEY)
    assert isinstance(entry, LedgerEntry)
    assert (entry.version, entry.patched) == (7, {})


async def test_a_lost_schedule_is_rebuilt_with_the_ledger() -> None:
    shop, sale_ends = Shop(), NOW + timedelta(days=2)
    log = [
        packet("upsert", 1, item(pictures=["file:///missing"])),
        packet("upsert", 1, item(), product_id="on-sale"),
        packet("upsert", 1, item(), product_id="plain"),
        packet("upsert", 1, item(pictures=["file:///missing"]), product_id="gone"),
        packet("delete", 2, product_id="gone"),
        packet("upsert", 1, item(name="Phone case", category=None), product_id="case"),
    ]
    changes = [
        on_sale(change, sale_ends) if change.key == "shop:on-sale" else change
        for change in await apply(log, shop)
    ]
    shop.ledger, shop.schedule = InMemoryLedger(), InMemorySchedule()
    rebuilt = await rebuild(changes, shop)
    assert shop.schedule.due == {KEY: NOW, "shop:on-sale": sale_ends}
    assert (rebuilt.scheduled, rebuilt.not_indexed, rebuilt.products) == (2, 1, 2)
    assert rebuilt.not_fashion == 1


def on_sale(change: ProductChange, until: datetime) -> ProductChange:
    assert change.product is not None
    sale = {"sale_price": Money(amount_minor=600_00, currency="INR"), "sale_until": until}
    update = change.product.update.model_copy(update=sale)
    product = change.product.model_copy(update={"update": update})
    return change.model_copy(update={"product": product})
