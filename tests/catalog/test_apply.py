"""Which writes a packet makes, in which order, and what it returns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from PIL.Image import Image

from operators.catalog.apply import Applied, apply_packet
from operators.catalog.parts import CatalogParts
from operators.ports import IndexedAttributes
from schemas.catalog import Decision, Packet
from schemas.errors import InvalidUpdate, UnreadableEntry
from tests.catalog.small_shop import (
    BLUE,
    BROKEN,
    KEY,
    NOW,
    RED,
    RED_AGAIN,
    Shop,
    Stream,
    item,
    packet,
)
from tests.doubles import HashEncoder

WRITES = ("upsert", "patch", "delete", "put", "write", "encode_image", "fetch")


class Recorded:
    """Records the calls of one part, as ``part.method``."""

    def __init__(self, name: str, part: object, calls: list[str]) -> None:
        self._name, self._part, self._calls = name, part, calls

    def __getattr__(self, method: str) -> Any:
        if method in WRITES:
            self._calls.append(f"{self._name}.{method}")
        return getattr(self._part, method)


class SecondIndex:
    """A mirror that keeps the attributes it is given."""

    def __init__(self, fingerprint: str | None = "encoder-b") -> None:
        self.fingerprint = fingerprint
        self.attributes: dict[str, IndexedAttributes] = {}

    async def upsert(self, key: str, image: Image, attributes: IndexedAttributes) -> None:
        self.attributes[key] = attributes

    async def patch(self, key: str, attributes: IndexedAttributes) -> None:
        self.attributes[key] = attributes

    async def delete(self, key: str) -> None:
        del self.attributes[key]


class Recording:
    """A shop whose writes are recorded."""

    def __init__(self) -> None:
        self.shop = Shop()
        self.mirror = SecondIndex()
        self.calls: list[str] = []
        self.offset = 0

    def parts(self) -> CatalogParts:
        def record(name: str, part: object) -> Any:
            return Recorded(name, part, self.calls)

        return replace(
            self.shop.parts(),
            pictures=record("pictures", self.shop.pictures),
            encoder=record("encoder", self.shop.encoder),
            index=record("index", self.shop.index),
            ledger=record("ledger", self.shop.ledger),
            thumbnails=record("thumbnails", self.shop.thumbnails),
            mirror=record("mirror", self.mirror),
        )

    async def send(self, sent: Packet) -> list[str]:
        """The calls that ``sent`` makes."""
        self.calls.clear()
        self.offset += 1
        await apply_packet(sent, f"p/0/{self.offset}", self.parts(), lambda: NOW)
        return list(self.calls)


CREATION = [
    "pictures.fetch",
    "encoder.encode_image",
    "index.upsert",
    "mirror.upsert",
    "thumbnails.put",
    "ledger.write",
]


async def test_the_ledger_is_written_last() -> None:
    shop = Recording()
    assert await shop.send(packet("upsert", 1, item())) == CREATION
    assert await shop.send(packet("upsert", 2, item(pictures=[BLUE]))) == CREATION
    assert await shop.send(packet("patch", 3, {"stock": 0})) == [
        "index.patch",
        "mirror.patch",
        "ledger.write",
    ]
    assert await shop.send(packet("delete", 4)) == [
        "index.delete",
        "mirror.delete",
        "thumbnails.delete",
        "ledger.write",
    ]


async def test_nothing_is_written_for_stale_packets() -> None:
    shop = Recording()
    await shop.send(packet("upsert", 5, item()))
    for kind in ("upsert", "patch", "delete"):
        assert await shop.send(packet(kind, 4, item())) == []


async def test_the_ledger_alone_is_written_when_the_index_is_not_affected() -> None:
    shop = Recording()
    assert await shop.send(packet("patch", 1, {"stock": 2})) == ["ledger.write"]
    await shop.send(packet("upsert", 2, item()))
    assert await shop.send(packet("upsert", 3, item())) == ["ledger.write"]
    assert await shop.send(packet("patch", 4, {"price": "Rs. 1,001"})) == ["ledger.write"]
    assert await shop.send(packet("upsert", 5, item(pictures=[RED_AGAIN]))) == [
        "pictures.fetch",
        "ledger.write",
    ]


async def test_mirror_and_index_receive_the_same_attributes() -> None:
    shop = Recording()
    for sent in (packet("upsert", 1, item()), packet("patch", 2, {"colour": "neela"})):
        await shop.send(sent)
        stored = await shop.shop.index.get(KEY)
        assert stored is not None
        assert shop.mirror.attributes == {KEY: stored.attributes}


@pytest.mark.parametrize(
    ("fingerprint", "mirrored", "predecessors", "embeddings"),
    [
        ("hash-encoder", None, frozenset[str](), 0),
        ("encoder-b", "hash-encoder", frozenset[str](), 0),
        ("encoder-b", None, frozenset({"hash-encoder"}), 0),
        ("encoder-b", "encoder-c", frozenset({"encoder-d"}), 1),
    ],
)
async def test_a_product_of_a_known_encoder_is_not_embedded_again(
    stream: Stream,
    fingerprint: str,
    mirrored: str | None,
    predecessors: frozenset[str],
    embeddings: int,
) -> None:
    await stream.send(packet("upsert", 1, item()))
    parts = replace(
        stream.shop.parts(),
        encoder=HashEncoder(fingerprint),
        mirror=SecondIndex(mirrored),
        predecessor_fingerprints=predecessors,
    )
    applied = await apply_packet(packet("patch", 2, {"stock": 1}), "p/0/2", parts, lambda: NOW)
    assert applied.embeddings == embeddings


async def test_only_an_embedding_counts_as_one(stream: Stream) -> None:
    applied: list[Applied] = [
        await stream.send(sent)
        for sent in (
            packet("patch", 1, {"stock": 1}),
            packet("upsert", 2, item()),
            packet("upsert", 2, item()),
            packet("upsert", 3, item()),
            packet("patch", 4, {"stock": 0}),
            packet("delete", 5),
            packet("delete", 6),
        )
    ]
    assert [(one.decision, one.embeddings) for one in applied] == [
        (Decision.HELD, 0),
        (Decision.CREATED, 1),
        (Decision.STALE, 0),
        (Decision.UNCHANGED, 0),
        (Decision.UPDATED, 0),
        (Decision.DELETED, 0),
        (Decision.UNCHANGED, 0),
    ]


async def test_a_second_delete_raises_the_version_of_the_tombstone(stream: Stream) -> None:
    await stream.send(packet("upsert", 1, item()))
    await stream.send(packet("delete", 2))
    applied = await stream.send(packet("delete", 6))
    assert (applied.decision, applied.change) == (Decision.UNCHANGED, None)
    assert (await stream.send(packet("upsert", 5, item()))).decision is Decision.STALE


async def test_a_product_keeps_its_picture_when_a_patch_takes_all_away(stream: Stream) -> None:
    await stream.send(packet("upsert", 1, item()))
    applied = await stream.send(packet("patch", 2, {"pictures": None}))
    assert (applied.decision, applied.picture_pending) == (Decision.UPDATED, "no-picture")
    assert (await stream.entry()).image_url == RED


async def test_the_refusal_of_the_main_picture_is_reported(stream: Stream) -> None:
    applied = await stream.send(packet("upsert", 1, item(pictures=[BROKEN, "file:///other"])))
    assert (applied.decision, applied.picture_pending) == (Decision.PENDING, "not-found")


async def test_an_unreadable_entry_refuses_the_packets_of_its_product_only(stream: Stream) -> None:
    await stream.send(packet("upsert", 1, item()))
    stream.shop.ledger.entries[KEY] = "{"
    with pytest.raises(UnreadableEntry):
        await stream.send(packet("upsert", 2, item(price="1")))
    assert stream.shop.ledger.entries[KEY] == "{"
    other = packet("upsert", 1, item(), product_id="other")
    assert (await stream.send(other)).decision is Decision.CREATED


async def test_an_unknown_vendor_is_a_stable_reason(stream: Stream) -> None:
    with pytest.raises(InvalidUpdate) as refused:
        await stream.send(packet("delete", 1, vendor="acme"))
    assert refused.value.reason == "unknown-vendor"


async def test_a_product_missing_from_the_index_is_embedded_after_new_texts(
    stream: Stream,
) -> None:
    """Texts that need the stored vector, which is gone."""
    await stream.send(packet("upsert", 1, item(name="Article 7", category=None)))
    stream.shop.index.objects.clear()
    applied = await stream.send(packet("patch", 2, {"name": "Article 8"}))
    assert (applied.decision, applied.embeddings) == (Decision.REEMBEDDED, 1)
    assert KEY in stream.shop.index.objects
