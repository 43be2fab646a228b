"""Items that are not fashion are recorded, but neither indexed nor matched."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from operators.catalog.rules import by_rules
from operators.catalog.standardise import Standardiser
from operators.ports import Vector
from operators.vocabulary.taxonomy import Taxonomy
from schemas.attributes import Attribute, StandardAttributes
from schemas.catalog import Decision, ProductUpdate
from tests.catalog.small_shop import BLUE, KEY, RED, Stream, item, packet, taxonomy
from tests.doubles import HashEncoder

PHONE_CASE = item(name="Phone case", category="")


async def test_a_new_product_that_is_not_fashion_stays_in_the_ledger(stream: Stream) -> None:
    sent = packet("upsert", 1, PHONE_CASE)
    applied = await stream.send(sent)

    assert (applied.decision, applied.embeddings) == (Decision.NOT_FASHION, 0)
    assert applied.change is not None
    assert applied.change.product is not None
    kind = applied.change.product.attributes.not_fashion
    assert kind is not None
    assert kind.value == "electronics"
    assert (await stream.shop.index.count(), stream.shop.pictures.fetched) == (0, [])
    assert (await stream.entry()).exists
    assert (await stream.replay(sent, 1)).change == applied.change
    assert (await stream.send(sent)).decision is Decision.STALE


async def test_an_indexed_product_that_turns_out_to_be_none_is_removed(stream: Stream) -> None:
    await stream.send(packet("upsert", 1, item()))
    applied = await stream.send(packet("patch", 2, {"name": "Phone case", "category": ""}))

    assert applied.decision is Decision.NOT_FASHION
    assert await stream.shop.index.get(KEY) is None
    assert not (await stream.entry()).indexed
    assert KEY not in stream.shop.thumbnails.pictures


async def test_its_facts_are_kept_and_it_may_become_fashion(stream: Stream) -> None:
    await stream.send(packet("upsert", 1, PHONE_CASE))
    applied = await stream.send(packet("patch", 2, {"stock": 0}))
    assert (applied.decision, applied.embeddings) == (Decision.UPDATED, 0)
    assert (await stream.entry()).update.stock == 0

    applied = await stream.send(packet("upsert", 3, item()))
    assert (applied.decision, applied.embeddings) == (Decision.CREATED, 1)
    assert await stream.shop.index.get(KEY) is not None


async def test_it_can_be_deleted(stream: Stream) -> None:
    await stream.send(packet("upsert", 1, PHONE_CASE))
    assert (await stream.send(packet("delete", 2))).decision is Decision.DELETED
    assert not (await stream.entry()).exists


class PhoneEncoder(HashEncoder):
    """Sees phones in all pictures; "article" means nothing to it."""

    def __init__(self) -> None:
        super().__init__(dimension=2)

    async def encode_text(self, text: str) -> Vector:
        phone = 1.0 if "smartphone" in text or "electronic" in text else 0.0
        return np.array([phone, 1.0 - phone], np.float32)

    async def encode_image(self, image: object) -> Vector:
        return np.array([1.0, 0.0], np.float32)


async def test_the_encoder_is_asked_once_per_picture(stream: Stream) -> None:
    stream.shop.encoder = PhoneEncoder()
    article = item(name="Article 7", category="")
    applied = await stream.send(packet("upsert", 1, article))
    assert (applied.decision, applied.embeddings) == (Decision.NOT_FASHION, 1)
    kind = (await stream.entry()).attributes.not_fashion
    assert kind is not None
    assert (kind.value, kind.source) == ("electronics", "model")

    applied = await stream.send(packet("upsert", 2, {**article, "price": "Rs. 5"}))
    assert (applied.decision, applied.embeddings) == (Decision.UPDATED, 0)
    assert stream.shop.pictures.fetched == [RED]
    applied = await stream.send(packet("upsert", 3, {**article, "pictures": [BLUE]}))
    assert applied.embeddings == 1
    assert await stream.shop.index.count() == 0


async def test_rules_run_off_the_event_loop_once_per_text(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    def recorded(update: ProductUpdate, taxonomy: Taxonomy) -> StandardAttributes:
        threads.append(threading.get_ident())
        return by_rules(update, taxonomy)

    monkeypatch.setattr("operators.catalog.standardise.by_rules", recorded)
    standardiser = Standardiser(PhoneEncoder(), taxonomy(), 0.75)
    found = [
        await standardiser.by_rules(ProductUpdate(title="Red kurta", stock=stock))
        for stock in (1, 2)
    ]
    assert found[0].category == found[1].category == Attribute(value="kurta", source="rule")
    assert len(threads) == 1
    assert threading.get_ident() not in threads


@pytest.mark.parametrize("category", ["Tops", "Kurta"])
async def test_a_department_in_the_texts_is_not_overruled(category: str) -> None:
    standardiser = Standardiser(PhoneEncoder(), taxonomy(), 0.75)
    update = ProductUpdate(title="Article 7", category_text=category)
    found = await standardiser.standardise(update, np.array([1.0, 0.0], np.float32))
    assert (found.not_fashion, found.department is not None) == (None, True)
