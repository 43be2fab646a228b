"""Every row of the decision table, applied to a catalog in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from operators.catalog.apply import apply_packet
from operators.vocabulary.views import product_of
from schemas.catalog import Decision
from schemas.errors import InvalidUpdate, Unavailable
from schemas.ids import change_event_id
from tests.catalog.small_shop import (
    BLUE,
    BROKEN,
    GREEN,
    KEY,
    NOW,
    RED,
    RED_AGAIN,
    Shop,
    Stream,
    item,
    packet,
)
from tests.doubles import HashEncoder, plain_picture


async def test_a_new_product_is_embedded_indexed_and_recorded(stream: Stream) -> None:
    applied = await stream.send(packet("upsert", 1, item()))

    assert (applied.decision, applied.embeddings) == (Decision.CREATED, 1)
    stored = await stream.shop.index.get(KEY)
    assert stored is not None
    assert (stored.attributes.category, stored.attributes.colour) == ("kurta", "red")
    assert (stored.attributes.brand, stored.attributes.style) == ("sundari", "shop:S1")
    assert stored.attributes.sizes == ("UK:8",)
    assert await stream.shop.thumbnails.get(KEY)
    entry = await stream.entry()
    assert (entry.version, entry.image_url, entry.indexed) == (1, RED, True)
    assert applied.change is not None
    assert applied.change.event_id == change_event_id(KEY, "p/0/1")
    assert applied.change.product == product_of(entry, NOW)


async def test_an_older_or_equal_version_is_stale(stream: Stream) -> None:
    await stream.send(packet("upsert", 5, item()))
    writes = len(stream.shop.ledger.writes)
    for version in (4, 5):
        applied = await stream.send(packet("upsert", version, item(price="Rs. 9")))
        assert (applied.decision, applied.change) == (Decision.STALE, None)
    assert len(stream.shop.ledger.writes) == writes


async def test_a_new_picture_is_embedded_again(stream: Stream) -> None:
    await stream.send(packet("upsert", 1, item()))
    applied = await stream.send(packet("upsert", 2, item(pictures=[BLUE])))
    assert (applied.decision, applied.embeddings) == (Decision.REEMBEDDED, 1)
    assert (await stream.entry()).image_url == BLUE


async def test_a_new_url_of_the_same_picture_updates_metadata_only(stream: Stream) -> None:
    await stream.send(packet("upsert", 1, item()))
    applied = await stream.send(packet("upsert", 2, item(pictures=[RED_AGAIN])))
    assert (applied.decision, applied.embeddings) == (Decision.UPDATED, 0)
    assert (await stream.entry()).image_url == RED_AGAIN
    assert stream.shop.index.upserts == [KEY]
    assert stream.shop.index.patches == []


async def test_an_unchanged_url_is_not_fetched_again(stream: Stream) -> None:
    await stream.send(packet("upsert", 1, item()))
    await stream.send(packet("upsert", 2, item(price="Rs. 2,000")))
    assert stream.shop.pictures.fetched == [RED]


async def test_a_patch_that_names_the_picture_fetches_it(stream: Stream) -> None:
    await stream.send(packet("upsert", 1, item()))
    stream.shop.pictures.by_url[RED] = plain_picture("purple")  # overwritten in place
    applied = await stream.send(packet("patch", 2, {"pictures": [RED]}))
    assert (applied.decision, applied.embeddings) == (Decision.REEMBEDDED, 1)


async def test_changed_attributes_are_patched_and_the_vector_kept(stream: Stream) -> None:
    await stream.send(packet("upsert", 1, item()))
    before = await stream.shop.index.get(KEY)
    applied = await stream.send(packet("upsert", 2, item(colour="neela", size="UK 9")))
    after = await stream.shop.index.get(KEY)

    assert (applied.decision, applied.embeddings) == (Decision.UPDATED, 0)
    assert before is not None
    assert after is not None
    assert (after.attributes.colour, after.attributes.sizes) == ("blue", ("UK:9",))
    assert (after.vector == before.vector).all()
    assert stream.shop.index.upserts == [KEY]


async def test_a_price_in_the_same_bucket_changes_the_ledger_only(stream: Stream) -> None:
    await stream.send(packet("upsert", 1, item(price="Rs. 1,000")))
    applied = await stream.send(packet("patch", 2, {"price": "Rs. 1,001", "stock": 4}))
    assert (applied.decision, applied.embeddings) == (Decision.UPDATED, 0)
    assert stream.shop.index.patches == []
    price = (await stream.entry()).update.price
    assert price is not None
    assert price.amount_minor == 100_100


@pytest.mark.parametrize("change", [{"price": "Rs. 1,500"}, {"stock": 0}])
async def test_a_new_bucket_or_sold_out_patches_the_index(
    stream: Stream, change: dict[str, object]
) -> None:
    await stream.send(packet("upsert", 1, item()))
    applied = await stream.send(packet("patch", 2, change))
    assert applied.embeddings == 0
    assert stream.shop.index.patches == [KEY]


async def test_a_late_packet_does_not_restore_a_deleted_product(stream: Stream) -> None:
    await stream.send(packet("upsert", 1, item()))
    deleted = await stream.send(packet("delete", 5))
    late = await stream.send(packet("upsert", 4, item()))
    late_patch = await stream.send(packet("patch", 5, {"stock": 3}))

    assert deleted.decision is Decision.DELETED
    assert deleted.change is not None
    assert (deleted.change.product, deleted.change.version) == (None, 5)
    assert (late.decision, late_patch.decision) == (Decision.STALE, Decision.STALE)
    assert await stream.shop.index.count() == 0
    assert await stream.shop.thumbnails.get(KEY) is None
    assert not (await stream.entry()).exists


async def test_a_newer_upsert_restores_a_deleted_product(stream: Stream) -> None:
    await stream.send(packet("upsert", 1, item()))
    await stream.send(packet("delete", 5))
    applied = await stream.send(packet("upsert", 6, item()))
    assert (applied.decision, applied.embeddings) == (Decision.CREATED, 1)


async def test_a_delete_of_an_unknown_product_leaves_a_tombstone_and_no_event(
    stream: Stream,
) -> None:
    applied = await stream.send(packet("delete", 5))
    assert (applied.decision, applied.change) == (Decision.UNCHANGED, None)
    assert (await stream.send(packet("upsert", 4, item()))).decision is Decision.STALE


async def test_a_delete_removes_the_remains_of_an_interrupted_creation(stream: Stream) -> None:
    await stream.send(packet("upsert", 1, item()))
    stream.shop.ledger.entries.clear()  # a crash between the index and the ledger write
    await stream.send(packet("delete", 2))
    assert await stream.shop.index.count() == 0
    assert await stream.shop.thumbnails.get(KEY) is None


async def test_a_delete_older_than_the_upsert_is_stale(stream: Stream) -> None:
    await stream.send(packet("upsert", 5, item()))
    assert (await stream.send(packet("delete", 4))).decision is Decision.STALE
    assert await stream.shop.index.count() == 1


async def test_an_unchanged_upsert_has_no_event_but_its_version_counts(stream: Stream) -> None:
    await stream.send(packet("upsert", 1, item()))
    applied = await stream.send(packet("upsert", 3, item()))
    assert (applied.decision, applied.change) == (Decision.UNCHANGED, None)
    assert (await stream.send(packet("upsert", 2, item(stock=1)))).decision is Decision.STALE


async def test_a_patch_of_an_unknown_product_is_held_until_its_upsert(stream: Stream) -> None:
    held = await stream.send(packet("patch", 7, {"price": "Rs. 7,000"}))
    assert (held.decision, held.change) == (Decision.HELD, None)
    created = await stream.send(packet("upsert", 3, item()))
    assert created.decision is Decision.CREATED
    assert created.change is not None
    assert created.change.product is not None
    price = created.change.product.update.price
    assert price is not None
    assert price.amount_minor == 700_000
    assert created.change.version == 7


async def test_a_newer_upsert_overrides_the_patch(stream: Stream) -> None:
    await stream.send(packet("upsert", 1, item()))
    await stream.send(packet("patch", 2, {"stock": 0}))
    await stream.send(packet("upsert", 3, item(stock=9)))
    entry = await stream.entry()
    assert (entry.update.stock, entry.patched) == (9, {})


async def test_a_null_in_a_patch_resets_the_field(stream: Stream) -> None:
    await stream.send(packet("upsert", 1, item()))
    await stream.send(packet("patch", 2, {"colour": None, "stock": None}))
    update = (await stream.entry()).update
    assert (update.colour_text, update.stock, update.brand) == (None, None, "Sundari")


async def test_a_replay_of_the_last_change_emits_the_same_event(stream: Stream) -> None:
    first = packet("upsert", 1, item())
    created = await stream.send(first)
    again = await stream.replay(first, offset=1)
    assert again.change == created.change
    assert again.embeddings == 0

    gone = packet("delete", 2)
    deleted = await stream.send(gone)
    assert (await stream.replay(gone, offset=2)).change == deleted.change
    assert (await stream.replay(first, offset=1)).decision is Decision.STALE


async def test_packets_that_change_nothing_do_not_hide_the_last_change(stream: Stream) -> None:
    first = packet("upsert", 1, item())
    created = await stream.send(first)
    await stream.send(packet("upsert", 2, item()))
    again = await stream.replay(first, offset=1)
    assert again.change is not None
    assert created.change is not None
    assert again.change.event_id == created.change.event_id


async def test_the_next_picture_replaces_a_broken_one(stream: Stream) -> None:
    applied = await stream.send(packet("upsert", 1, item(pictures=[BROKEN, GREEN])))
    assert applied.decision is Decision.CREATED
    assert (await stream.entry()).image_url == GREEN


async def test_a_product_lost_by_the_index_is_embedded_again(stream: Stream) -> None:
    await stream.send(packet("upsert", 1, item()))
    stream.shop.index.objects.clear()
    applied = await stream.send(packet("patch", 2, {"stock": 0}))
    assert (applied.decision, applied.embeddings) == (Decision.REEMBEDDED, 1)
    stored = await stream.shop.index.get(KEY)
    assert stored is not None
    assert not stored.attributes.in_stock


async def test_another_model_embeds_again_even_on_a_replay(stream: Stream) -> None:
    sent = packet("upsert", 1, item())
    await stream.send(sent)
    stream.shop.encoder = HashEncoder("another-model")
    applied = await stream.send(sent)
    assert (applied.decision, applied.embeddings) == (Decision.REEMBEDDED, 1)
    assert (await stream.entry()).model == "another-model"
    assert (await stream.send(sent)).decision is Decision.STALE


async def test_new_texts_are_standardised_with_the_stored_vector(
    stream: Stream,
) -> None:
    await stream.send(packet("upsert", 1, item(name="Article 7", category=None)))
    pictures_embedded = list(stream.shop.encoder.images)
    applied = await stream.send(packet("patch", 2, {"name": "Article 8"}))
    fresh = Shop()
    await apply_packet(
        packet("upsert", 1, item(name="Article 8", category=None)), "p/0/1", fresh.parts()
    )
    expected = await fresh.ledger.read(KEY)
    assert expected is not None
    assert applied.embeddings == 0
    assert stream.shop.encoder.images == pictures_embedded
    assert (await stream.entry()).attributes == expected.attributes


async def test_the_ledger_is_written_only_after_the_index(stream: Stream) -> None:
    class Broken:
        def __getattr__(self, name: str) -> object:
            async def fail(*args: object) -> None:
                raise Unavailable(name)

            return fail

    broken: Any = Broken()
    parts = replace(stream.shop.parts(), index=broken)
    with pytest.raises(Unavailable):
        await apply_packet(packet("upsert", 1, item()), "p/0/1", parts)
    assert stream.shop.ledger.entries == {}


async def test_an_unknown_vendor_is_reported(stream: Stream) -> None:
    with pytest.raises(InvalidUpdate, match="no mapping for 'acme'; there are mappings for shop"):
        await stream.send(packet("delete", 1, vendor="acme"))
