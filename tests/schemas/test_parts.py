"""Parts are compared and copied as pydantic's models are, only faster."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from schemas.attributes import Attribute
from schemas.base import Part, built
from schemas.catalog import LedgerEntry, Packet, PacketKind, ProductUpdate
from schemas.money import Money

PRICE = Money(amount_minor=1999, currency="INR")
PARTS = [
    PRICE,
    Attribute(value="navy", source="model", confidence=0.5),
    ProductUpdate(title="Shirt", price=PRICE),
    LedgerEntry(key="shop:1", version=1, update=ProductUpdate(title="Shirt")),
]


@pytest.mark.parametrize("part", PARTS)
def test_a_copy_is_the_one_that_pydantic_makes(part: Part) -> None:
    name = next(iter(type(part).model_fields))
    for update in (None, {}, {name: getattr(part, name)}):
        ours, theirs = part.model_copy(update=update), BaseModel.model_copy(part, update=update)
        assert ours.__getstate__() == theirs.__getstate__()
        assert ours == part


def test_a_copy_has_its_own_set_of_fields() -> None:
    update = ProductUpdate(title="Shirt")
    copied = update.model_copy(update={"brand": "Acme"})
    assert copied.model_fields_set == {"title", "brand"}
    assert update.model_fields_set == {"title"}
    assert update.brand is None


def test_parts_are_equal_when_their_values_and_types_are() -> None:
    assert Money(amount_minor=1999, currency="INR") == PRICE
    assert hash(Money(amount_minor=1999, currency="INR")) == hash(PRICE)
    assert Money(amount_minor=2000, currency="INR") != PRICE
    assert ProductUpdate(title="") == ProductUpdate(), "whether a field was set does not count"
    assert PRICE != {"amount_minor": 1999, "currency": "INR"}
    assert ProductUpdate() != LedgerEntry(key="shop:1")


def test_what_is_built_is_what_pydantic_would_construct() -> None:
    values = {"amount_minor": 1999, "currency": "INR"}
    assert built(Money, dict(values)).__getstate__() == PRICE.__getstate__()
    packet = Packet(vendor="shop", product_id="1", kind=PacketKind.PATCH, version=1)
    made = built(Packet, dict(vars(packet)))
    assert made.__getstate__() == Packet.model_construct(**vars(packet)).__getstate__()
    assert made == packet
