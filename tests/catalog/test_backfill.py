"""The index of another model, filled while the catalog flow keeps running."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.catalog.apply import apply_packet
from operators.catalog.backfill import backfill, compare
from operators.catalog.parts import CatalogParts
from operators.picture import WHOLE, Wanted
from operators.ports import IndexedAttributes, Picture, Vector
from schemas.catalog import Packet
from schemas.errors import Unavailable
from schemas.looks import ImageReference
from tests.catalog.index_switch import Switch
from tests.catalog.small_shop import BLUE, GREEN, KEY, PICTURES, RED, Shop, item, packet
from tests.catalog.test_replay_property import histories
from tests.doubles import InMemoryIndex, StoredPictures


async def filled_shop(urls: Iterable[str] = (RED, BLUE, GREEN)) -> Shop:
    shop = Shop()
    for number, url in enumerate(urls):
        await apply_packet(
            packet("upsert", 1, item(pictures=[url]), product_id=str(number)),
            f"updates/0/{number}",
            shop.parts(),
        )
    return shop


async def test_a_second_backfill_writes_nothing() -> None:
    switch = Switch(await filled_shop())
    first = await backfill(switch.filling, window=2)
    assert (first.products, first.embedded, first.embedded_by_thumbnail) == (3, 3, 0)
    await switch.assert_index_equals_ledger()
    assert (await backfill(switch.filling, window=2)).writes == 0


async def test_a_missing_picture_is_replaced_by_its_thumbnail() -> None:
    switch = Switch(await filled_shop())
    del switch.shop.pictures.by_url[RED]
    made = await backfill(switch.filling, window=2)
    assert (made.embedded, made.embedded_by_thumbnail, made.without_picture) == (3, 1, [])
    assert (await backfill(switch.filling, window=2)).writes == 0


async def test_a_product_without_picture_and_thumbnail_is_reported() -> None:
    switch = Switch(await filled_shop())
    del switch.shop.pictures.by_url[GREEN]
    switch.shop.thumbnails.pictures.clear()
    made = await backfill(switch.filling, window=2)
    assert (made.embedded, made.without_picture) == (2, ["shop:2"])


async def test_a_pending_picture_is_not_missing() -> None:
    switch = Switch(await filled_shop([RED]))
    without_picture = item(pictures=["file:///missing"])
    for number, product_id in enumerate(["0", "waiting"]):
        sent = packet("upsert", 2, without_picture, product_id=product_id)
        await apply_packet(sent, f"updates/1/{number}", switch.flow)
    made = await backfill(switch.filling, window=2)
    assert (made.products, made.embedded, made.without_picture) == (1, 1, [])
    await switch.assert_index_equals_ledger()


async def test_deletes_and_changes_made_without_a_mirror_are_repaired() -> None:
    switch = Switch(await filled_shop())
    await backfill(switch.filling, window=2)
    switch.mirror.on = False
    for number, change in enumerate(
        (
            packet("delete", 2, product_id="0"),
            packet("patch", 2, {"stock": 0}, product_id="1"),
            packet("upsert", 2, item(pictures=[BLUE]), product_id="2"),
        )
    ):
        await apply_packet(change, f"updates/1/{number}", switch.flow)
    made = await backfill(switch.filling, window=2)
    assert (made.deleted, made.patched, made.embedded) == (1, 1, 1)
    await switch.assert_index_equals_ledger()


async def test_the_flow_mirrors_its_writes_and_metadata_needs_no_embedding() -> None:
    switch = Switch(Shop())
    for number, change in enumerate(
        (
            packet("upsert", 1, item()),
            packet("patch", 2, {"stock": 0}),
            packet("patch", 3, {"price": "Rs. 1,001"}),
        )
    ):
        await apply_packet(change, f"updates/0/{number}", switch.flow)
    await switch.assert_index_equals_ledger()
    assert len(switch.encoder.images) == 1
    await apply_packet(packet("delete", 4), "updates/0/9", switch.flow)
    assert switch.index.objects == {}


async def test_after_the_switch_products_of_the_previous_model_are_not_embedded_again() -> None:
    switch = Switch(await filled_shop())
    await backfill(switch.filling, window=2)
    before = switch.flow
    switched = CatalogParts(
        mappings=before.mappings,
        standardiser=before.standardiser,
        pictures=before.pictures,
        encoder=switch.encoder,
        index=switch.index,
        ledger=before.ledger,
        thumbnails=before.thumbnails,
        schedule=before.schedule,
        predecessor_fingerprints=frozenset({switch.shop.encoder.fingerprint}),
    )
    switch.encoder.images.clear()
    applied = await apply_packet(packet("patch", 2, {"stock": 0}), "updates/1/0", switched)
    assert (applied.embeddings, switch.encoder.images) == (0, [])
    assert switch.index.objects[KEY][1].in_stock is False


class Unreachable(StoredPictures):
    """Fails ``failures`` times, then serves the pictures."""

    def __init__(self, failures: int) -> None:
        super().__init__(PICTURES)
        self.failures = failures

    async def fetch(
        self, reference: ImageReference, vendor: str | None = None, wanted: Wanted = WHOLE
    ) -> Picture:
        if self.failures > 0:
            self.failures -= 1
            raise Unavailable("the proxy does not answer")
        return await super().fetch(reference, vendor, wanted)


async def test_a_pass_continues_after_an_outage_of_ten_minutes() -> None:
    switch = Switch(await filled_shop())
    waiting = replace(switch.filling, pictures=Unreachable(failures=600))
    result = await backfill(waiting, window=1)
    assert (result.products, result.embedded) == (3, 3)
    assert switch.slept == [1.0] * 600
    await switch.assert_index_equals_ledger()


async def test_a_longer_outage_ends_the_pass() -> None:
    switch = Switch(await filled_shop([RED]))
    waiting = replace(switch.filling, pictures=Unreachable(failures=10**6))
    with pytest.raises(Unavailable):
        await backfill(waiting, window=1)
    assert switch.slept == [1.0] * 600


async def test_the_comparison_measures_how_many_neighbours_agree() -> None:
    switch = Switch(await filled_shop())
    await backfill(switch.filling, window=2)
    same = await compare(switch.shop.index, switch.index, sample=10)
    assert (same.products, same.sampled, same.agreement) == ((3, 3), 3, 1.0)


async def test_a_late_vector_under_the_newest_attributes_is_written_again() -> None:
    """The backfill's vector of the old picture comes after the flow's of the new one; then the flow
    patches the attributes, which tell nothing of it."""
    shop = Shop()
    await apply_packet(packet("upsert", 1, item(pictures=[BLUE])), "updates/0/0", shop.parts())
    switch = Switch(shop)
    begun, late = asyncio.Event(), asyncio.Event()
    upsert = switch.index.upsert

    async def upsert_late(key: str, vector: Vector, attributes: IndexedAttributes) -> None:
        begun.set()
        await late.wait()
        await upsert(key, vector, attributes)

    slow = InMemoryIndex("b")
    slow.objects = switch.index.objects
    slow.upsert = upsert_late  # type: ignore[method-assign]
    filling = replace(switch.filling, index=slow)
    first = asyncio.create_task(backfill(filling, window=1))
    await begun.wait()
    await apply_packet(packet("upsert", 2, item(pictures=[RED])), "updates/1/0", switch.flow)
    late.set()
    await first
    await apply_packet(packet("patch", 3, {"stock": 0}), "updates/1/1", switch.flow)

    while (await backfill(filling, window=1)).writes:
        pass
    await switch.assert_index_equals_ledger()


@settings(max_examples=60)
@given(before=histories(), meanwhile=histories(), after=histories(), seed=st.integers(0, 10**6))
async def test_after_a_pass_without_writes_the_new_index_stays_equal_to_the_ledger(
    before: list[Packet], meanwhile: list[Packet], after: list[Packet], seed: int
) -> None:
    """Backfill and flow interleave at every await. Passes repeat until one writes nothing; the last
    one starts after the flow's earlier packets have ended, which the job waits for. From then on
    the flow alone keeps the new index up to date."""
    rng = random.Random(seed)
    shop = Shop()
    for number, each in enumerate(before):
        await apply_packet(each, f"updates/0/{number}", shop.parts())
    switch = Switch(shop, rng)

    async def flow(packets: list[Packet], partition: int) -> None:
        """Packets of one product in sequence, different products concurrently."""

        async def lane(key: str) -> None:
            for number, each in enumerate(packets):
                if each.key == key:
                    newer = each.model_copy(update={"version": each.version + rng.randrange(20)})
                    await apply_packet(newer, f"updates/{partition}/{number}", switch.flow)

        await asyncio.gather(*(lane(key) for key in {each.key for each in packets}))

    running = asyncio.create_task(flow(meanwhile, 1))
    for _ in range(rng.randrange(3)):
        await backfill(switch.filling, window=2)
    await running
    while (await backfill(switch.filling, window=2)).writes:
        pass
    await switch.assert_index_equals_ledger()
    await flow(after, 2)
    await switch.assert_index_equals_ledger()
