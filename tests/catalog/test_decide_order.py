"""Packets in any order end in the same ledger entry."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from operators.catalog.decide import decide
from schemas.catalog import LedgerEntry, Packet, PacketKind, ProductUpdate
from tests.catalog.entries import MODEL, MODELS
from tests.catalog.small_shop import VENDORS_KINDS, packet

SENT = st.lists(
    st.tuples(st.sampled_from(VENDORS_KINDS), st.integers(0, 6)), unique=True, max_size=9
)


def apply_all(sent: list[tuple[PacketKind, int]]) -> LedgerEntry | None:
    """The entry after the packets, as if each were applied and indexed at once."""
    entry: LedgerEntry | None = None
    for offset, (kind, version) in enumerate(sent):
        plan = decide(entry, *of(kind, version), f"p/0/{offset}", MODELS)
        stored = plan.entry.exists
        entry = plan.entry.model_copy(
            update={"indexed": stored, "model": MODEL if stored else None}
        )
    return entry


def of(kind: PacketKind, version: int) -> tuple[Packet, ProductUpdate | None]:
    """A packet whose every value is its version; patches of even versions set two fields."""
    if kind is PacketKind.DELETE:
        return packet(kind, version), None
    if kind is PacketKind.UPSERT:
        return packet(kind, version), ProductUpdate(
            title=f"upsert {version}", brand=f"upsert {version}", stock=version
        )
    fields: dict[str, Any] = {"title": f"patch {version}"}
    if version % 2 == 0:
        fields["stock"] = 100 + version
    return packet(kind, version), ProductUpdate(**fields)


@given(sent=SENT, data=st.data())
def test_packets_in_any_order_end_in_the_same_entry(
    sent: list[tuple[PacketKind, int]], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(sent))
    assert apply_all(sent) == apply_all(shuffled)


@given(sent=SENT.filter(bool))
def test_every_field_belongs_to_the_newest_packet_that_set_it(
    sent: list[tuple[PacketKind, int]],
) -> None:
    rank = {PacketKind.PATCH: 0, PacketKind.UPSERT: 1, PacketKind.DELETE: 2}
    fields: dict[str, Any] = {}
    exists = False
    for kind, version in sorted(sent, key=lambda item: (item[1], rank[item[0]])):
        update = of(kind, version)[1]
        if update is None:
            exists, fields = False, {}
        elif kind is PacketKind.UPSERT:
            exists, fields = True, update.model_dump()
        else:
            fields |= update.model_dump(include=update.model_fields_set)
    entry = apply_all(sent)
    assert entry is not None
    assert entry.exists is exists
    assert entry.update == ProductUpdate(**fields)
