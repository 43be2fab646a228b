"""An index of another model, filled while the catalog flow goes on."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from doubles import HashEncoder, InMemoryIndex, unit_vector
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL.Image import Image
from small_shop import BLUE, GREEN, KEY, PICTURES, RED, Shop, item, packet
from test_replay_property import histories

from operators.catalog import backfill as backfill_module
from operators.catalog.apply import CatalogParts, apply_packet
from operators.catalog.backfill import BackfillParts, backfill, compare
from operators.ports import IndexedAttributes
from operators.vocabulary.views import indexed_attributes
from schemas.catalog import Packet


class Slow:
    """Lets others run before and after each call of a part, by a seeded number of turns."""

    def __init__(self, part: Any, rng: random.Random) -> None:
        self._part = part
        self._rng = rng

    def __getattr__(self, name: str) -> Any:
        wrapped = getattr(self._part, name)
        if not asyncio.iscoroutinefunction(wrapped):
            return wrapped

        async def call(*arguments: Any) -> Any:
            for _ in range(self._rng.randrange(4)):
                await asyncio.sleep(0)
            answer = await wrapped(*arguments)
            for _ in range(self._rng.randrange(4)):
                await asyncio.sleep(0)
            return answer

        return call


class Mirror:
    """The flow's mirror, from the moment it is switched on."""

    def __init__(self, encoder: Any, index: Any) -> None:
        self.encoder, self.index = encoder, index
        self.on = True

    @property
    def fingerprint(self) -> str | None:
        return self.encoder.fingerprint if self.on else None

    async def upsert(self, key: str, image: Image, attributes: IndexedAttributes) -> None:
        if self.on:
            await self.index.upsert(key, await self.encoder.encode_image(image), attributes)

    async def patch(self, key: str, attributes: IndexedAttributes) -> None:
        if self.on:
            await self.index.patch(key, attributes)

    async def delete(self, key: str) -> None:
        if self.on:
            await self.index.delete(key)


class Switch:
    """A shop whose index is switched from one encoder to another."""

    def __init__(self, shop: Shop, rng: random.Random | None = None) -> None:
        self.shop = shop
        self.encoder = HashEncoder("encoder-b", dimension=24)
        self.index = InMemoryIndex("b")

        def slow(part: Any) -> Any:
            return part if rng is None else Slow(part, rng)

        self.mirror = Mirror(self.encoder, slow(self.index))
        before = shop.parts()
        self.flow = CatalogParts(
            mappings=before.mappings,
            standardiser=before.standardiser,
            pictures=slow(shop.pictures),
            encoder=shop.encoder,
            index=slow(shop.index),
            ledger=slow(shop.ledger),
            thumbnails=shop.thumbnails,
            mirror=self.mirror,
        )
        self.filling = BackfillParts(
            ledger=slow(shop.ledger),
            pictures=slow(shop.pictures),
            thumbnails=shop.thumbnails,
            encoder=self.encoder,
            index=slow(self.index),
        )

    async def equals_the_ledger(self) -> None:
        """Every product is there, with its attributes and its picture's vector; nothing else is."""
        expected = {}
        async for entry in self.shop.ledger.scan():
            if entry.exists and entry.indexed:
                image = PICTURES[entry.image_url]
                vector = unit_vector(b"encoder-b/" + image.tobytes(), 24)
                expected[entry.key] = (vector.tobytes(), indexed_attributes(entry))
        found = {key: (vector.tobytes(), a) for key, (vector, a) in self.index.objects.items()}
        assert found == expected


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill_module, "SETTLING_SECONDS", 0)


async def filled_shop() -> Shop:
    shop = Shop()
    for number, url in enumerate((RED, BLUE, GREEN)):
        await apply_packet(
            packet("upsert", 1, item(pictures=[url]), product_id=str(number)),
            f"updates/0/{number}",
            shop.parts(),
        )
    return shop


async def test_a_backfill_brings_every_product_and_a_second_one_finds_nothing_to_do():
    switch = Switch(await filled_shop())
    first = await backfill(switch.filling, window=2)
    assert (first.products, first.embedded, first.of_them_by_thumbnail) == (3, 3, 0)
    await switch.equals_the_ledger()
    assert (await backfill(switch.filling, window=2)).writes == 0


async def test_a_picture_that_is_gone_is_embedded_by_its_thumbnail():
    switch = Switch(await filled_shop())
    del switch.shop.pictures.by_url[RED]
    made = await backfill(switch.filling, window=2)
    assert (made.embedded, made.of_them_by_thumbnail, made.without_picture) == (3, 1, [])
    assert (await backfill(switch.filling, window=2)).writes == 0


async def test_a_product_without_picture_and_thumbnail_is_named():
    switch = Switch(await filled_shop())
    del switch.shop.pictures.by_url[GREEN]
    switch.shop.thumbnails.pictures.clear()
    made = await backfill(switch.filling, window=2)
    assert (made.embedded, made.without_picture) == (2, ["shop:2"])


async def test_what_was_deleted_or_changed_without_a_mirror_is_repaired():
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
    await switch.equals_the_ledger()


async def test_the_flow_mirrors_what_it_does_and_embeds_no_metadata():
    switch = Switch(Shop())
    for number, change in enumerate(
        (
            packet("upsert", 1, item()),
            packet("patch", 2, {"stock": 0}),
            packet("patch", 3, {"price": "Rs. 1,001"}),
        )
    ):
        await apply_packet(change, f"updates/0/{number}", switch.flow)
    await switch.equals_the_ledger()
    assert len(switch.encoder.images) == 1
    await apply_packet(packet("delete", 4), "updates/0/9", switch.flow)
    assert switch.index.objects == {}


async def test_after_the_switch_what_the_model_before_embedded_is_not_embedded_again():
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
        succeeds=frozenset({switch.shop.encoder.fingerprint}),
    )
    switch.encoder.images.clear()
    applied = await apply_packet(packet("patch", 2, {"stock": 0}), "updates/1/0", switched)
    assert (applied.embeddings, switch.encoder.images) == (0, [])
    assert switch.index.objects[KEY][1].in_stock is False


async def test_the_comparison_tells_how_many_neighbours_agree():
    switch = Switch(await filled_shop())
    await backfill(switch.filling, window=2)
    same = await compare(switch.shop.index, switch.index, sample=10)
    assert (same.products, same.sampled, same.agreement) == ((3, 3), 3, 1.0)  # all three are near


@settings(max_examples=60, deadline=None)
@given(before=histories(), meanwhile=histories(), after=histories(), seed=st.integers(0, 10**6))
async def test_whatever_the_flow_does_the_new_index_equals_the_ledger_from_then_on(
    before: list[Packet], meanwhile: list[Packet], after: list[Packet], seed: int
):
    """Backfill and flow interleave at every await. Passes are made until one wrote nothing, the
    last one begun after what the flow was doing has ended, as the job waits for it. Afterwards the
    flow alone keeps the new index up."""
    rng = random.Random(seed)
    shop = Shop()
    for number, each in enumerate(before):
        await apply_packet(each, f"updates/0/{number}", shop.parts())
    switch = Switch(shop, rng)

    async def flow(packets: list[Packet], partition: int) -> None:
        """Packets of one product one after another, those of different products side by side."""

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
    await switch.equals_the_ledger()
    await flow(after, 2)
    await switch.equals_the_ledger()
