"""The timeline of a catalog: the events of every item, as the vendors' packets.

A packet's version is the moment of its event. Most packets are published at once; some are late,
so that newer ones overtake them, and some are sent twice.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any, Literal

from sandbox.life import kisetsu, northfold, zari
from sandbox.life.assortment import Item, Style
from sandbox.life.payload import Group
from schemas.ids import product_key

VENDORS: dict[str, ModuleType] = {"zari": zari, "northfold": northfold, "kisetsu": kisetsu}

START_MS = 1_767_225_600_000
"""2026-01-01 UTC in milliseconds: the start of the timeline."""
SPAN_MS = 30 * 86_400_000
_STEP_MS = 1000
"""Interval between the packets of a style's items when they change together."""

_ITEM_EVENTS: dict[str, float] = {
    "price": 0.10,
    "stock": 0.10,
    "sold out": 0.03,
    "title": 0.03,
    "nothing": 0.04,
}
"""Share of the items that have each event; nothing: a new version without a change."""
_STYLE_EVENTS: dict[str, float] = {"new url": 0.03, "new picture": 0.04}
_DELETED_SHARE = 0.06
_RELISTED_SHARE = 0.15
"""Of the deleted items."""
_LATE_SHARE = 0.05
_RESENT_SHARE = 0.04
_PATCH_SHARE = 0.4
"""Of the changes, those sent as a patch rather than as the full record."""

_GROUPS: dict[str, Group] = {
    "price": "price",
    "stock": "stock",
    "sold out": "stock",
    "title": "title",
    "new url": "pictures",
    "new picture": "pictures",
}
ALL_GROUPS: tuple[Group, ...] = ("title", "price", "stock", "pictures")
_TAGLINES = {"zari": "naya collection", "northfold": "Spring Edition", "kisetsu": "新作"}


@dataclass(frozen=True, slots=True)
class Packet:
    """A published packet, and its true content."""

    published: float
    """Milliseconds since 1970."""
    key: str
    value: bytes
    moment: int
    """Milliseconds since 1970 of the event; orders the versions of one item."""
    kind: Literal["upsert", "patch", "delete", "broken"]
    stated: dict[Group, Any] = field(default_factory=dict)
    """Group of fields -> its value in the packet, in a comparable form."""
    reason: str | None = None
    """The defect of a broken packet."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens to an item at a moment (milliseconds since 1970)."""

    moment: int
    style: Style
    item: Item
    what: str
    late: bool = False


def simulate_timeline(
    styles: Sequence[Style], pictures: str, rng: random.Random
) -> tuple[list[Packet], dict[str, str]]:
    """Simulate the timeline; return its packets in publishing order, and the picture files.

    Changes ``styles`` from their first state to their last. ``pictures``: URL of the folder of
    pictures. The picture files map file name -> content id; files of equal content are equal.
    """
    events = sorted(
        (event for style in styles for event in _draw_events(style, rng)),
        key=lambda event: (event.moment, event.item.product_id),
    )
    served = {f"{content}.jpg": content for style in styles for content in style.drawn}
    packets: list[Packet] = []
    for number, event in enumerate(events):
        apply_event(event, served, rng)
        packet = build_packet(event, pictures, number, rng)
        packets.append(packet)
        if event.what != "delete" and rng.random() < _RESENT_SHARE:
            packets.append(_resend(packet, rng))
    packets.sort(key=lambda packet: packet.published)
    return packets, served


def _draw_events(style: Style, rng: random.Random) -> Iterator[Event]:
    born = START_MS + int(rng.uniform(0, 0.5) * SPAN_MS)
    end = START_MS + SPAN_MS

    def later(after: int) -> int:
        return rng.randrange(after + 60_000, end)

    shared = [
        (later(born + 3_600_000), what)
        for what, share in _STYLE_EVENTS.items()
        if rng.random() < share
    ]
    for position, item in enumerate(style.items):
        first = born + position * _STEP_MS
        moments = {first: "new"}
        moments.update((moment + position * _STEP_MS, what) for moment, what in shared)
        for what, share in _ITEM_EVENTS.items():
            if rng.random() < share:
                moments[later(first)] = what
        deleted = None
        if rng.random() < _DELETED_SHARE:
            deleted = rng.randrange(
                first + 7_200_000, end - 86_400_000
            )  # leaves a day for relisting
        if deleted is None:
            late_birth = rng.random() < _LATE_SHARE
            for moment, what in moments.items():
                late = late_birth if what == "new" else rng.random() < _LATE_SHARE
                yield Event(moment, style, item, what, late)
            continue
        # The first packet of a deleted item is never late, because a delete of an unknown product
        # has no visible effect. But the delete often overtakes a last update.
        for moment, what in moments.items():
            if moment < deleted:
                yield Event(moment, style, item, what)
        if rng.random() < 0.5:
            yield Event(deleted - 1, style, item, "stock", late=True)
        yield Event(deleted, style, item, "delete")
        if rng.random() < _RELISTED_SHARE:
            yield Event(later(deleted), style, item, "relisted")


def apply_event(event: Event, served: dict[str, str], rng: random.Random) -> None:
    """Change the item, and the picture files that are ``served`` (name -> content id)."""
    item, what = event.item, event.what
    if what == "price":
        # Change by a tenth to a third, rounded to a whole unit of the currency.
        factor = rng.choice((0.67, 0.8, 0.9, 1.1, 1.25))
        unit = {"zari": 10_000, "northfold": 100, "kisetsu": 100}[event.style.vendor]
        before, item.price = item.price, max(1, round(item.price * factor / unit)) * unit
        item.list_price = max(before, item.price)
    elif what in ("stock", "relisted"):
        item.stock = rng.randint(1, 40)
    elif what == "sold out":
        item.stock = 0
    elif what == "title":
        item.tagline = _TAGLINES[event.style.vendor]
    elif what in ("new url", "new picture"):
        content = served[item.pictures[0]]
        if what == "new picture":
            content = f"{event.style.drawn[0]}-new"
            name = f"{content}.jpg"
        else:
            name = f"{content}-cdn.jpg"
        served[name] = content
        item.pictures = [name, *item.pictures[1:]]


def build_packet(event: Event, pictures: str, number: int, rng: random.Random) -> Packet:
    """The packet that tells of an event, after it; ``number``: of the vendor's export."""
    style, item = event.style, event.item
    vendor = VENDORS[style.vendor]
    group = _GROUPS.get(event.what)
    kind: Literal["upsert", "patch", "delete"] = "upsert"
    groups: Iterable[Group] = ALL_GROUPS
    payload: dict[str, Any]
    if event.what == "delete":
        kind, groups, payload = "delete", (), {}
    elif group is not None and rng.random() < _PATCH_SHARE:
        kind, groups, payload = "patch", (group,), vendor.patch(style, item, pictures, (group,))
    else:
        payload = vendor.payload(style, item, pictures, number)
    delay = rng.uniform(0.02, 0.4) * SPAN_MS if event.late else rng.uniform(0, 500)
    return Packet(
        published=event.moment + delay,
        key=product_key(style.vendor, item.product_id),
        value=envelope(style.vendor, item.product_id, kind, event.moment, payload),
        moment=event.moment,
        kind=kind,
        stated={group: value_of(style, item, group) for group in groups},
    )


def envelope(
    vendor: str, product_id: str, kind: str, moment: int, payload: dict[str, Any]
) -> bytes:
    """Encode a packet as the vendor's connector publishes it."""
    record = {
        "schema_version": 1,
        "vendor": vendor,
        "product_id": product_id,
        "kind": kind,
        "version": VENDORS[vendor].version(moment),
        "payload": payload,
    }
    return json.dumps(record, ensure_ascii=False).encode()


def value_of(style: Style, item: Item, group: Group) -> Any:
    """What the item states of ``group``, in a comparable form."""
    if group == "title":
        return item.tagline
    if group == "stock":
        return item.stock
    if group == "pictures":
        return tuple(item.pictures)
    # Only northfold's records can state that there is no list price.
    undiscounted = None if style.vendor == "northfold" else item.price
    return item.price, item.list_price or undiscounted


def _resend(packet: Packet, rng: random.Random) -> Packet:
    return replace(packet, published=packet.published + rng.uniform(0.001, 0.2) * SPAN_MS)
