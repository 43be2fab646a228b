"""Broken packets: each in one way that real feeds are broken in, none of which can ever succeed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sandbox.life.assortment import Style
from sandbox.life.timeline import SPAN_MS, START_MS, VENDORS, Packet, envelope
from schemas.ids import product_key

BROKEN_SHARE = 0.03
"""Of the packets that are well."""

_HTML = "broken-page.jpg"
_TRUNCATED = "broken-half.jpg"
_NOISE = "broken-noise.jpg"
_MISSING = "broken-gone.jpg"

Record = dict[str, Any]


def break_some(
    styles: Sequence[Style], many: int, pictures: str, rng: random.Random
) -> list[Packet]:
    """``many`` broken packets about items of ``styles``, each way of breaking in turn.

    A packet that breaks by its picture is newer than all that happened to its item before it, so
    that it fails because of the picture and is not dropped as stale.
    """
    ways: list[tuple[str, Callable[..., Any]]] = [
        *_RECORDS.items(),
        *_PICTURES.items(),
        *_BYTES.items(),
    ]
    return [_broken(rng.choice(styles), ways[n % len(ways)], pictures, rng) for n in range(many)]


def write_broken_pictures(folder: Path, sound: Path) -> None:
    """The picture files that broken packets name, the truncated one made of a ``sound`` one."""
    (folder / _HTML).write_text("<!doctype html><title>503</title><p>Please try again later.</p>")
    data = sound.read_bytes()
    (folder / _TRUNCATED).write_bytes(data[: len(data) // 3])
    (folder / _NOISE).write_bytes(random.Random(0).randbytes(4096))


def _broken(
    style: Style, way: tuple[str, Callable[..., Any]], pictures: str, rng: random.Random
) -> Packet:
    reason, breaks = way
    item = rng.choice(style.items)
    # After the end of the life: newer than everything the item's other packets say.
    moment = START_MS + SPAN_MS + rng.randrange(1, 3_600_000)
    vendor = VENDORS[style.vendor]
    payload = vendor.payload(style, item, pictures, 0)
    key = product_key(style.vendor, item.product_id)
    if reason in _PICTURES:
        shown = [f"{pictures}/{breaks()}" if "://" not in breaks() else breaks()]
        payload = _with_pictures(style.vendor, payload, shown)
    value = envelope(style.vendor, item.product_id, "upsert", moment, payload)
    if reason in _RECORDS:
        record = json.loads(value)
        breaks(record)
        if reason == "unknown vendor":
            key = product_key(record["vendor"], item.product_id)
        value = json.dumps(record, ensure_ascii=False).encode()
    elif reason in _BYTES:
        value = breaks(value)
    return Packet(
        published=START_MS + rng.uniform(0.1, 1.0) * SPAN_MS,
        key=key,
        value=value,
        moment=moment,
        kind="broken",
        reason=reason,
    )


def _with_pictures(vendor: str, payload: Record, shown: list[str]) -> Record:
    if vendor == "zari":
        return {**payload, "photo": shown[0], "photo2": ""}
    if vendor == "northfold":
        media = [{"role": "main", "href": shown[0]}]
        return {**payload, "style": {**payload["style"], "media": media}}
    return {**payload, "画像": shown}


def _bad_price(record: Record) -> None:
    payload = record["payload"]
    if record["vendor"] == "zari":
        payload["daam"] = "dukaan mein poochhein"
    elif record["vendor"] == "northfold":
        for variant in payload["variants"]:
            variant["offer"]["price"]["text"] = "call us"
    else:
        payload["税込価格"] = "お問い合わせください"


_RECORDS: dict[str, Callable[[Record], Any]] = {
    "unknown vendor": lambda r: r.update(vendor="acme"),
    "unknown kind": lambda r: r.update(kind="explode"),
    "version in words": lambda r: r.update(version="yesterday"),
    "version missing": lambda r: r.pop("version"),
    "version negative": lambda r: r.update(version=-7),
    "product_id missing": lambda r: r.pop("product_id"),
    "product_id empty": lambda r: r.update(product_id=""),
    "payload a list": lambda r: r.update(payload=[r["payload"]]),
    "schema of the future": lambda r: r.update(schema_version=99),
    "bad price": _bad_price,
}
_PICTURES: dict[str, Callable[[], str]] = {
    "picture missing": lambda: _MISSING,
    "picture is a page": lambda: _HTML,
    "picture truncated": lambda: _TRUNCATED,
    "picture is noise": lambda: _NOISE,
    "picture out of bounds": lambda: "file:///etc/hostname",
}
_BYTES: dict[str, Callable[[bytes], bytes]] = {
    "torn JSON": lambda value: value[: len(value) * 2 // 3],
    "not UTF-8": lambda value: value[:40] + b"\xff\xfe" + value[40:],
    "a page instead of JSON": lambda value: b"<html><body>502 Bad Gateway</body></html>",
    "a list instead of an object": lambda value: b"[" + value + b"]",
    "empty": lambda value: b"",
}
