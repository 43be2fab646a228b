"""The expected fate of every packet, by an independent model of the catalog's rules.

Written from the rules (schemas.catalog.LedgerEntry), not from the flow's code, so that the two
can be compared. The newest upsert wins, newer patches override its fields, and a product exists
when its upsert is newer than its delete.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.life.broken import PICTURE_DEFECTS
from sandbox.life.payload import Group
from sandbox.life.timeline import Packet
from sandbox.life.truth import EMBEDDING_FATES, Fate

_NEVER = -1


@dataclass(slots=True)
class ItemState:
    """The state of one product after some packets."""

    upserted: int = _NEVER
    deleted: int = _NEVER
    stated: dict[Group, Any] = field(default_factory=dict)
    """Values of the newest upsert."""
    patches: dict[Group, tuple[int, Any]] = field(default_factory=dict)
    """Patches newer than the newest upsert: their moment and value."""

    @property
    def exists(self) -> bool:
        return self.upserted > self.deleted

    def facts(self) -> dict[Group, Any]:
        """Return the current value of each group of fields."""
        return self.stated | {group: value for group, (_, value) in self.patches.items()}


@dataclass(frozen=True, slots=True)
class Replay:
    """The outcome of a feed."""

    fates: list[Fate]
    """In the order of the packets."""
    states: dict[str, ItemState]
    embedded: list[str]
    """Content ids of the pictures to embed, in order, repetitions included."""


def replay(packets: Iterable[Packet], contents: Mapping[str, str]) -> Replay:
    """Apply the packets in publishing order. ``contents``: picture file -> content id."""
    outcome = Replay([], {}, [])
    for packet in packets:
        if packet.kind == "broken":
            outcome.fates.append("pending" if packet.reason in PICTURE_DEFECTS else "dead")
            continue
        state = outcome.states.setdefault(packet.key, ItemState())
        fate = _apply(state, packet, contents)
        outcome.fates.append(fate)
        if fate in EMBEDDING_FATES:
            outcome.embedded.append(contents[state.facts()["pictures"][0]])
    return outcome


def _apply(state: ItemState, packet: Packet, contents: Mapping[str, str]) -> Fate:
    if packet.kind == "delete":
        return _delete(state, packet.moment)
    newest = max(state.upserted, state.deleted)
    if packet.moment <= newest:
        return "stale"
    existed, before = state.exists, state.facts()
    if packet.kind == "upsert":
        state.upserted, state.stated = packet.moment, packet.stated
        newer = {g: p for g, p in state.patches.items() if p[0] > packet.moment}
        state.patches = newer
    else:
        fresh = {
            group: (packet.moment, value)
            for group, value in packet.stated.items()
            if packet.moment > state.patches.get(group, (_NEVER, None))[0]
        }
        if not fresh:
            return "stale"
        state.patches |= fresh
    if not state.exists:
        return "held"
    if not existed:
        return "created"
    after = state.facts()
    if contents[before["pictures"][0]] != contents[after["pictures"][0]]:
        return "re-embedded"
    return "unchanged" if before == after else "updated"


def _delete(state: ItemState, moment: int) -> Fate:
    if moment <= state.deleted or (state.exists and moment <= state.upserted):
        return "stale"
    state.deleted = moment
    state.patches = {g: p for g, p in state.patches.items() if p[0] > moment}
    return "deleted"
