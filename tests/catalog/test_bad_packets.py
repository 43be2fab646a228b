"""Invalid input from vendors is refused with a clear reason, never with another exception."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from operators.catalog.apply import apply_packet
from operators.catalog.map_packet import map_packet
from operators.catalog.mapping import Mapping
from operators.catalog.notes import Note
from schemas.catalog import Packet, PacketKind, ProductUpdate
from schemas.errors import InvalidUpdate
from tests.catalog.small_shop import RED, Shop, item, packet, shop_mapping
from tests.catalog.vendor_payloads import KISETSU, NORTHFOLD, ZARI

HUGE = "x" * 10_000_000

GOOD_RECORD = {
    "vendor": "shop",
    "product_id": "1",
    "kind": "upsert",
    "version": 1,
    "payload": item(),
}


def record(**changes: Any) -> bytes:
    kept = {**GOOD_RECORD, **changes}
    return json.dumps({k: v for k, v in kept.items() if v is not ...}).encode()


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (b"", "JSON"),
        (b"null", "should be an object"),
        (b"[1, 2]", "should be an object"),
        (b'{"vendor": "shop"', "JSON"),
        (b"<html><body>502</body></html>", "JSON"),
        (b"\xff\xfe{}", "JSON"),
        (b"[" * 100_000, "JSON"),
        (record(vendor="Shop"), "vendor"),
        (record(vendor="a:b"), "vendor"),
        (record(vendor=...), "vendor"),
        (record(product_id=""), "product_id"),
        (record(product_id=...), "product_id"),
        (record(product_id="x" * 301), "product_id"),
        (record(product_id=7), "product_id"),
        (record(kind="explode"), "kind"),
        (record(version=...), "version"),
        (record(version=-1), "version"),
        (record(version=2**63), "version"),
        (record(version=1.5), "version"),
        (record(version=True), "version"),
        (record(version="yesterday"), "version"),
        (record(version="2026-01-01T00:00:00"), "offset"),
        (record(payload=[item()]), "payload"),
        (record(payload="{}"), "payload"),
        (record(schema_version=99), "schema_version"),
    ],
)
def test_records_that_are_not_packets(value: bytes, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Packet.model_validate_json(value)


@pytest.mark.parametrize(
    ("changes", "reason", "says"),
    [
        ({"name": None}, "missing-field", "title (at name): required"),
        ({"name": "   "}, "missing-field", "title"),
        ({"pictures": None}, "missing-field", "image_urls"),
        ({"pictures": []}, "missing-field", "image_urls"),
        ({"price": None}, "missing-field", "price"),
        ({"name": {"en": "Shirt"}}, "wrong-type", "title (at name): must be a text, is an object"),
        ({"name": True}, "wrong-type", "must be a text, is true"),
        ({"name": float("nan")}, "wrong-type", "title"),
        ({"name": 10**5000}, "too-long", "title"),
        ({"pictures": {"main": "file:///x"}}, "wrong-type", "image_urls"),
        ({"pictures": [None]}, "missing-field", "image_urls"),
        ({"pictures": ["file:///" + "x" * 5000]}, "too-long", "image_urls"),
        ({"pictures": HUGE}, "relative-url", "set prefix for this field"),
        ({"price": "ask in the shop"}, "invalid-price", "price (at price)"),
        ({"price": "-1"}, "invalid-price", "price"),
        ({"price": -1}, "invalid-price", "negative"),
        ({"price": 1e300}, "invalid-price", "price"),
        ({"price": "9" * 60}, "invalid-price", "exceeds the largest price"),
        ({"price": float("nan")}, "invalid-price", "finite number"),
        ({"price": float("inf")}, "invalid-price", "finite number"),
        ({"price": True}, "invalid-price", "is true"),
        ({"price": {"amount": 5}}, "invalid-price", "is an object"),
        ({"price": ["5", "6"]}, "several-values", "price (at price): has several values"),
        ({"price": "$ 5"}, "invalid-price", "'$ 5' is not in INR, which the mapping declares"),
        ({"price": HUGE}, "invalid-price", "10000000 characters"),
    ],
)
async def test_payloads_that_break_the_mapping(
    changes: dict[str, Any], reason: str, says: str
) -> None:
    shop = Shop()
    with pytest.raises(InvalidUpdate) as refused:
        await apply_packet(packet("upsert", 1, item(**changes)), "p/0/1", shop.parts())
    assert refused.value.reason == reason
    assert str(refused.value).startswith("shop: ")
    assert says in str(refused.value)
    assert len(str(refused.value)) < 400
    assert shop.ledger.entries == {}


@pytest.mark.parametrize(
    ("vendor", "product_id", "payload", "reason"),
    [
        ("northfold", "N99", NORTHFOLD, "missing-variant"),
        ("northfold", "N77-8", {**NORTHFOLD, "variants": None}, "missing-variant"),
        ("northfold", "N77-8", {**NORTHFOLD, "variants": {"sku": "N77-8"}}, "missing-variant"),
        ("northfold", "N77-8", {**NORTHFOLD, "variants": ["N77-8"]}, "missing-variant"),
        ("northfold", "N77-8", {**NORTHFOLD, "style": "N77"}, "missing-field"),
        (
            "northfold",
            "N77-8",
            {**NORTHFOLD, "variants": [{"sku": "N77-8", "offer": {"price": {"text": 12}}}]},
            "wrong-type",
        ),
        ("zari", "Z", {**ZARI, "daam": "dukaan mein poochhein"}, "invalid-price"),
        ("kisetsu", "K", {**KISETSU, "税込価格": "お問い合わせください"}, "invalid-price"),
    ],
)
def test_invalid_payloads_of_the_shipped_vendors(
    mappings: dict[str, Mapping], vendor: str, product_id: str, payload: dict[str, Any], reason: str
) -> None:
    sent = Packet(
        vendor=vendor, product_id=product_id, kind=PacketKind.UPSERT, version=1, payload=payload
    )
    with pytest.raises(InvalidUpdate) as refused:
        map_packet(sent, mappings[vendor])
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("changes", "field", "value", "reason"),
    [
        ({"name": "x" * 1001}, "title", "x" * 1000, "cut"),
        ({"name": HUGE}, "title", "x" * 1000, "cut"),
        ({"name": "torn \ud83d"}, "title", "torn", "invalid-characters"),
        ({"name": "a\0b"}, "title", "ab", "invalid-characters"),
        ({"name": ["Shirt", "Tee"]}, "title", "Shirt", "several-values"),
        ({"brand": "x" * 301}, "brand", "x" * 300, "cut"),
        ({"brand": {"id": 7}}, "brand", None, "wrong-type"),
        ({"brand": True}, "brand", None, "wrong-type"),
        ({"brand": "N/A"}, "brand", None, "null-word"),
        ({"style": "x" * 301}, "style_id", None, "too-long"),
        ({"colour": [["red"]]}, "colour_text", None, "wrong-type"),
        ({"colour": HUGE}, "colour_text", "x" * 300, "cut"),
        ({"size": {"uk": 8}}, "size_texts", (), "wrong-type"),
        ({"size": ["M", {}, "L"]}, "size_texts", ("M", "L"), "wrong-type"),
        (
            {"size": [str(n) for n in range(1000)]},
            "size_texts",
            tuple(str(n) for n in range(50)),
            "too-many",
        ),
        ({"pictures": [None, RED, "x.jpg"]}, "image_urls", (RED,), "relative-url"),
        ({"stock": "many"}, "stock", None, "invalid-stock"),
        ({"stock": -3}, "stock", 0, "negative"),
        ({"stock": 10**5000}, "stock", 10**9, "too-large"),
        ({"stock": float("nan")}, "stock", None, "invalid-stock"),
        ({"stock": True}, "stock", None, "invalid-stock"),
        ({"stock": HUGE}, "stock", None, "invalid-stock"),
    ],
)
async def test_a_bad_optional_value_costs_its_field_and_is_counted(
    changes: dict[str, Any], field: str, value: object, reason: str
) -> None:
    shop = Shop()
    applied = await apply_packet(packet("upsert", 1, item(**changes)), "p/0/1", shop.parts())
    assert applied.notes == (Note(field, reason),)
    entry = await shop.ledger.read("shop:1")
    assert entry is not None
    assert getattr(entry.update, field) == value


def test_a_patch_leaves_what_it_cannot_say_as_it_was() -> None:
    said: dict[str, Any] = {
        "stock": "many",
        "brand": {},
        "gender": None,
        "colour": "N/A",
        "name": "New name",
    }
    mapped = map_packet(packet("patch", 2, said), shop_mapping())
    assert mapped.update.model_fields_set == {"title", "gender_text", "colour_text"}
    assert mapped.update.colour_text is None
    assert set(mapped.notes) == {
        Note("stock", "invalid-stock"),
        Note("brand", "wrong-type"),
        Note("colour_text", "null-word"),
    }


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(list(item()))


@settings(max_examples=300)
@given(
    changes=st.dictionaries(KEYS, ANYTHING, max_size=4), kind=st.sampled_from(["upsert", "patch"])
)
def test_any_json_maps_or_is_refused(changes: dict[str, Any], kind: str) -> None:
    payload = item(**changes) if kind == "upsert" else changes
    with contextlib.suppress(InvalidUpdate):
        update = map_packet(packet(kind, 1, payload), shop_mapping()).update
        assert ProductUpdate.model_validate_json(update.model_dump_json()) == update
