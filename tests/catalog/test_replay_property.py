"""Packets reordered, repeated, interrupted and replayed end in the state of the newest alone."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from operators.catalog.apply import Applied, apply_packet
from operators.catalog.parts import CatalogParts
from schemas.catalog import Packet, PacketKind, ProductChange
from tests.catalog.small_shop import BLUE, GREEN, RED, RED_AGAIN, VENDORS_KINDS, Shop, item, packet

NOW = datetime(2026, 1, 1, tzinfo=UTC)

# Titles with and without words that the rules know, so that the encoder has something to classify.
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "name": st.sampled_from(["Kurta block print", "Article 7", "Phone case", "Blue saree"]),
    "brand": st.sampled_from(["Sundari", "Nima", None]),
    "category": st.sampled_from(["Women > Kurta", "Naya maal", "Shoes", None]),
    "gender": st.sampled_from(["Women", "Men", None]),
    "colour": st.sampled_from(["laal", "neela", "??", None]),
    "size": st.sampled_from(["UK 8", "M", None]),
    "pictures": st.lists(
        st.sampled_from([RED, RED_AGAIN, BLUE, GREEN]), min_size=1, max_size=2, unique=True
    ),
    "price": st.sampled_from(["Rs. 1,000", "Rs. 1,010", "Rs. 4,000"]),
    "stock": st.sampled_from([0, 1, 7]),
}
UPSERTS = st.fixed_dictionaries(FIELDS).map(lambda drawn: item(**drawn))
PATCHES = st.fixed_dictionaries({}, optional=FIELDS)


@st.composite
def histories(draw: st.DrawFn) -> list[Packet]:
    """Packets of two products in any order, some repeated; kind and version identify a packet."""
    packets: list[Packet] = []
    for product_id in ("1", "2"):
        slots = draw(
            st.lists(
                st.tuples(st.sampled_from(VENDORS_KINDS), st.integers(0, 9)),
                unique=True,
                max_size=7,
            )
        )
        for kind, version in slots:
            payload: dict[str, Any] = {}
            if kind is not PacketKind.DELETE:
                payload = draw(UPSERTS if kind is PacketKind.UPSERT else PATCHES)
            packets.append(packet(kind, version, payload, product_id=product_id))
    repeated = draw(st.lists(st.sampled_from(packets), max_size=4)) if packets else []
    return draw(st.permutations(packets + repeated))


@dataclass
class Truth:
    """The expected state of a product after all packets, computed from the versions alone."""

    upsert: int | None
    deleted: int | None
    payload: dict[str, Any]
    patched: dict[str, int]

    @classmethod
    def of(cls, packets: list[Packet]) -> Truth:
        newest = {
            kind: max((p.version for p in packets if p.kind is kind), default=-1)
            for kind in VENDORS_KINDS
        }
        upsert, deleted = newest[PacketKind.UPSERT], newest[PacketKind.DELETE]
        exists = upsert > deleted
        payload: dict[str, Any] = {}
        patched: dict[str, int] = {}
        if exists:
            payload = next(
                dict(p.payload)
                for p in packets
                if p.kind is PacketKind.UPSERT and p.version == upsert
            )
        for p in sorted(packets, key=lambda p: p.version):
            if p.kind is PacketKind.PATCH and p.version > max(upsert if exists else -1, deleted):
                payload |= p.payload
                patched |= dict.fromkeys(p.payload, p.version)
        return cls(
            upsert if exists else None,
            None if exists or deleted < 0 else deleted,
            payload,
            patched,
        )


class Crash(Exception):
    """The process crashes."""


class Countdown:
    """Crashes after ``ticks`` (None: never); a call of a part ticks before and after it."""

    def __init__(self, ticks: int | None) -> None:
        self.ticks = ticks

    def tick(self) -> None:
        if self.ticks is not None:
            self.ticks -= 1
            if self.ticks < 0:
                raise Crash


class Fragile:
    """A part that may crash before or after each of its calls."""

    def __init__(self, part: Any, countdown: Countdown) -> None:
        self._part = part
        self._countdown = countdown

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._part, name)
        # Encoding a text has no effect to interrupt, and there are about 400 prompts.
        if not callable(attribute) or name == "encode_text":
            return attribute

        async def call(*args: Any) -> Any:
            self._countdown.tick()
            result = await attribute(*args)
            self._countdown.tick()
            return result

        return call


def fragile(shop: Shop, countdown: Countdown) -> CatalogParts:
    def wrap(part: object) -> Any:
        return Fragile(part, countdown)

    return Shop(
        encoder=wrap(shop.encoder),
        pictures=wrap(shop.pictures),
        index=wrap(shop.index),
        ledger=wrap(shop.ledger),
        thumbnails=wrap(shop.thumbnails),
    ).parts()


async def run(
    log: list[Packet], shop: Shop, crashes: random.Random | None
) -> list[tuple[int, Applied]]:
    """Consume ``log``; after each crash continue from an earlier offset. At most six crashes."""
    done: list[tuple[int, Applied]] = []
    offset, crashed = 0, 0
    while offset < len(log):
        ticks = crashes.randrange(50) if crashes is not None and crashed < 6 else None
        parts = fragile(shop, Countdown(ticks))
        try:
            while offset < len(log):
                position = f"catalog.updates/0/{offset}"
                applied = await apply_packet(log[offset], position, parts, lambda: NOW)
                done.append((offset, applied))
                offset += 1
        except Crash:
            crashed += 1
            assert crashes is not None
            offset = crashes.randrange(offset + 1)
            # Events after that offset were not durable yet.
            done = [(place, applied) for place, applied in done if place < offset]
    return done


async def state(shop: Shop, key: str) -> dict[str, Any]:
    entry = await shop.ledger.read(key)
    stored = await shop.index.get(key)
    seen: dict[str, Any] = {
        "vector": None if stored is None else stored.vector.tolist(),
        "indexed": None if stored is None else stored.attributes,
        "thumbnail": await shop.thumbnails.get(key),
    }
    if entry is not None:
        # The last packet and its time are history, not state.
        history = {"last_position", "last_decision", "changed_at"}
        seen["ledger"] = entry.model_dump(exclude=history)
    return seen


@settings(max_examples=200)
@given(log=histories(), seed=st.integers(0, 2**32 - 1), crash=st.booleans())
async def test_every_delivery_ends_in_the_newest_state(
    log: list[Packet], seed: int, crash: bool
) -> None:
    shop = Shop()
    done = await run(log, shop, random.Random(seed) if crash else None)

    for key in ("shop:1", "shop:2"):
        own = [p for p in log if p.key == key]
        truth = Truth.of(own)
        note(f"{key}: {truth}")
        entry = await shop.ledger.read(key)
        if truth.upsert is None and truth.deleted is None and not truth.patched:
            assert entry is None
            continue
        assert entry is not None
        assert (entry.version, entry.deleted_version) == (truth.upsert, truth.deleted)
        assert set(entry.patched.values()) == set(truth.patched.values())

        once = Shop()
        if truth.upsert is not None:
            newest = packet("upsert", truth.upsert, truth.payload, product_id=key[-1])
            await apply_packet(newest, "once", once.parts(), lambda: NOW)
        expected = await state(once, key)
        reached = await state(shop, key)
        if entry.exists:
            expected["ledger"]["patched"] = entry.patched
            assert reached == expected
            _check_last_event(key, log, done, entry.update.model_dump())
        else:
            assert (reached["vector"], reached["thumbnail"]) == (None, None)


def _check_last_event(
    key: str, log: list[Packet], done: list[tuple[int, Applied]], update: dict[str, Any]
) -> None:
    """The event of the highest offset carries the final product."""
    events: dict[int, ProductChange] = {}
    for offset, applied in done:
        if log[offset].key == key and applied.change is not None:
            events[offset] = applied.change
    last = events[max(events)]
    assert last.product is not None
    assert last.product.update.model_dump() == update


@settings(max_examples=60)
@given(log=histories(), seed=st.integers(0, 2**32 - 1))
async def test_the_order_of_packets_does_not_matter(log: list[Packet], seed: int) -> None:
    one, other = Shop(), Shop()
    shuffled = random.Random(seed).sample(log, len(log))
    await run(log, one, None)
    await run(shuffled, other, None)
    for key in ("shop:1", "shop:2"):
        assert await state(one, key) == await state(other, key)


@pytest.mark.parametrize("ticks", range(12))
async def test_a_crash_around_any_call_of_a_creation_is_repaired(ticks: int) -> None:
    """Before and after each of six calls: read, fetch, encode, upsert, put, write."""
    shop, calm = Shop(), Shop()
    sent = packet("upsert", 1, item(name="Article 7", category=None))
    with pytest.raises(Crash):
        await apply_packet(sent, "p/0/1", fragile(shop, Countdown(ticks)), lambda: NOW)
    replayed = await apply_packet(sent, "p/0/1", shop.parts(), lambda: NOW)
    undisturbed = await apply_packet(sent, "p/0/1", calm.parts(), lambda: NOW)

    assert replayed.change == undisturbed.change
    assert await state(shop, "shop:1") == await state(calm, "shop:1")
