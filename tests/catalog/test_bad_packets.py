"""Bad input from vendors: each a refusal with a clear reason, never another exception."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from small_shop import Shop, item, packet, shop_mapping
from vendor_payloads import GOOGLE, KISETSU, NORTHFOLD, ZARI

from operators.catalog.apply import apply_packet
from operators.catalog.map_packet import map_packet
from operators.catalog.mapping import load_mappings
from schemas.catalog import Packet, PacketKind, ProductUpdate
from schemas.errors import InvalidUpdate

HUGE = "x" * 10_000_000
MAPPINGS = load_mappings(Path(__file__).parents[2] / "operators/catalog/mappings")

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
def test_records_that_are_no_packets(value: bytes, says: str) -> None:
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
        ({"name": {"en": "Shirt"}}, "wrong-type", "title (at name): a text, not dict"),
        ({"name": True}, "wrong-type", "title"),
        ({"name": HUGE}, "too-long", "10000000 characters"),
        ({"name": "x" * 1001}, "invalid-field", "title"),
        ({"name": "torn \ud83d"}, "wrong-type", "title"),
        ({"name": "a\0b"}, "wrong-type", "title"),
        ({"name": float("nan")}, "wrong-type", "title"),
        ({"name": 10**5000}, "too-long", "title"),
        ({"brand": "x" * 301}, "invalid-field", "brand"),
        ({"colour": [["red"]]}, "wrong-type", "colour_text"),
        ({"colour": ["red"] * 51}, "too-long", "colour_text"),
        ({"size": {"uk": 8}}, "wrong-type", "size_texts"),
        ({"size": ["M"] * 1000}, "too-long", "size_texts"),
        ({"pictures": {"main": "file:///x"}}, "wrong-type", "image_urls"),
        ({"pictures": [None]}, "wrong-type", "image_urls"),
        ({"pictures": ["file:///" + "x" * 5000]}, "too-long", "image_urls"),
        ({"pictures": ["file:///x"] * 51}, "too-long", "image_urls"),
        ({"pictures": HUGE}, "too-long", "image_urls"),
        ({"price": "ask in the shop"}, "invalid-price", "price (at price)"),
        ({"price": "-1"}, "invalid-price", "price"),
        ({"price": -1}, "invalid-price", "negative"),
        ({"price": 1e300}, "invalid-price", "price"),
        ({"price": "9" * 60}, "invalid-price", "more than any price"),
        ({"price": float("nan")}, "invalid-price", "not a number"),
        ({"price": float("inf")}, "invalid-price", "not a number"),
        ({"price": True}, "invalid-price", "bool"),
        ({"price": {"amount": 5}}, "invalid-price", "dict"),
        ({"price": "$ 5"}, "invalid-price", "USD"),
        ({"price": HUGE}, "invalid-price", "10000000 characters"),
        ({"stock": "many"}, "invalid-stock", "'many' is no number of pieces"),
        ({"stock": -3}, "invalid-stock", "-3"),
        ({"stock": "-3"}, "invalid-stock", "-3"),
        ({"stock": 10**10}, "invalid-stock", "stock"),
        ({"stock": 10**5000}, "invalid-stock", "stock"),
        ({"stock": 1.5}, "invalid-stock", "stock"),
        ({"stock": float("nan")}, "invalid-stock", "stock"),
        ({"stock": True}, "invalid-stock", "stock"),
        ({"stock": [1]}, "invalid-stock", "stock"),
        ({"stock": HUGE}, "invalid-stock", "stock"),
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
        ("zari", "Z", {**ZARI, "stock_qty": "None"}, "invalid-stock"),
        ("kisetsu", "K", {**KISETSU, "税込価格": "お問い合わせください"}, "invalid-price"),
        ("kisetsu", "K", {**KISETSU, "在庫": "たくさん"}, "invalid-stock"),
        ("google_merchant", "g", {**GOOGLE, "availability": "maybe"}, "unknown-value"),
        ("google_merchant", "g", {**GOOGLE, "sale_price": "15.00"}, "invalid-price"),
    ],
)
def test_shipped_vendors_gone_wrong(
    vendor: str, product_id: str, payload: dict[str, Any], reason: str
) -> None:
    sent = Packet(
        vendor=vendor, product_id=product_id, kind=PacketKind.UPSERT, version=1, payload=payload
    )
    with pytest.raises(InvalidUpdate) as refused:
        map_packet(sent, MAPPINGS[vendor])
    assert refused.value.reason == reason


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(list(item()))


@settings(max_examples=300, deadline=None)
@given(
    changes=st.dictionaries(KEYS, ANYTHING, max_size=4), kind=st.sampled_from(["upsert", "patch"])
)
def test_any_json_maps_or_is_refused(changes: dict[str, Any], kind: str) -> None:
    payload = item(**changes) if kind == "upsert" else changes
    with contextlib.suppress(InvalidUpdate):
        update = map_packet(packet(kind, 1, payload), shop_mapping())
        assert ProductUpdate.model_validate_json(update.model_dump_json()) == update
