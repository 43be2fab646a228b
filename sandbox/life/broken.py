"""Broken packets, each with one defect seen in real feeds; no retry can make one succeed."""

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
"""Relative to the number of valid packets."""

_HTML = "broken-page.jpg"
_TRUNCATED = "broken-half.jpg"
_NOISE = "broken-noise.jpg"
_MISSING = "broken-gone.jpg"

Record = dict[str, Any]


def draw_broken_packets(
    styles: Sequence[Style], many: int, pictures: str, rng: random.Random
) -> list[Packet]:
    """Draw ``many`` broken packets about items of ``styles``, cycling through the defects.

    A packet with a broken picture is about an item of its own, which no other packet sells.
    """
    ways: list[tuple[str, Callable[..., Any]]] = [
        *_RECORDS.items(),
        *PICTURE_DEFECTS.items(),
        *_BYTES.items(),
    ]
    return [_broken(n, rng.choice(styles), ways[n % len(ways)], pictures, rng) for n in range(many)]


def write_broken_pictures(folder: Path, sound: Path) -> None:
    """Write the picture files that broken packets name; the truncated one is cut from ``sound``."""
    (folder / _HTML).write_text("<!doctype html><title>503</title><p>Please try again later.</p>")
    data = sound.read_bytes()
    (folder / _TRUNCATED).write_bytes(data[: len(data) // 3])
    (folder / _NOISE).write_bytes(random.Random(0).randbytes(4096))


def _broken(
    number: int,
    style: Style,
    way: tuple[str, Callable[..., Any]],
    pictures: str,
    rng: random.Random,
) -> Packet:
    reason, breaks = way
    item = rng.choice(style.items)
    # After the end of the timeline: newer than every other packet of the item.
    moment = START_MS + SPAN_MS + rng.randrange(1, 3_600_000)
    vendor = VENDORS[style.vendor]
    payload = vendor.payload(style, item, pictures, 0)
    product_id = item.product_id
    if reason in PICTURE_DEFECTS:
        product_id = f"{item.product_id}-unseen{number}"
        text = json.dumps(payload, ensure_ascii=False)
        payload = json.loads(text.replace(f'"{item.product_id}"', f'"{product_id}"'))
        shown = [f"{pictures}/{breaks()}" if "://" not in breaks() else breaks()]
        payload = _with_pictures(style.vendor, payload, shown)
    key = product_key(style.vendor, product_id)
    value = envelope(style.vendor, product_id, "upsert", moment, payload)
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
PICTURE_DEFECTS: dict[str, Callable[[], str]] = {
    "picture missing": lambda: _MISSING,
    "picture is a page": lambda: _HTML,
    "picture truncated": lambda: _TRUNCATED,
    "picture is noise": lambda: _NOISE,
    "picture out of bounds": lambda: "file:///etc/hostname",
}
"""Defect -> picture file or URL. The product is known at once, and waits for a picture."""

_BYTES: dict[str, Callable[[bytes], bytes]] = {
    "torn JSON": lambda value: value[: len(value) * 2 // 3],
    "not UTF-8": lambda value: value[:40] + b"\xff\xfe" + value[40:],
    "a page instead of JSON": lambda value: b"<html><body>502 Bad Gateway</body></html>",
    "a list instead of an object": lambda value: b"[" + value + b"]",
    "empty": lambda value: b"",
}
