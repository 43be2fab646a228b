"""What should become of every packet: a second, plain model of the catalog's rules.

Written from the rules (design section 5, schemas.catalog.LedgerEntry) and not from the flow's
code, so that the two can be compared: newest upsert wins, fields of newer patches lie over it, a
product exists when its upsert is newer than its delete.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.life.payload import Group
from sandbox.life.timeline import Packet
from sandbox.life.truth import EMBEDDING_FATES, Fate

_NEVER = -1


@dataclass(slots=True)
class ItemState:
    """What is known of one product after some packets."""

    upserted: int = _NEVER
    deleted: int = _NEVER
    told: dict[Group, Any] = field(default_factory=dict)
    """Of the newest upsert."""
    patches: dict[Group, tuple[int, Any]] = field(default_factory=dict)
    """Newer than the newest upsert: moment and what was told."""

    @property
    def exists(self) -> bool:
        return self.upserted > self.deleted

    def facts(self) -> dict[Group, Any]:
        """Group of fields -> what holds now."""
        return self.told | {group: said for group, (_, said) in self.patches.items()}


@dataclass(frozen=True, slots=True)
class Replay:
    """The outcome of a feed."""

    fates: list[Fate]
    """In the order of the packets."""
    states: dict[str, ItemState]
    embedded: list[str]
    """Contents of the pictures that have to be embedded, in order, repetitions included."""


def replay(packets: Iterable[Packet], contents: Mapping[str, str]) -> Replay:
    """Apply the packets in publishing order. ``contents``: picture file -> what it shows."""
    outcome = Replay([], {}, [])
    for packet in packets:
        if packet.kind == "broken":
            outcome.fates.append("dead")
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
        state.upserted, state.told = packet.moment, packet.told
        newer = {g: p for g, p in state.patches.items() if p[0] > packet.moment}
        state.patches = newer
    else:
        fresh = {
            group: (packet.moment, said)
            for group, said in packet.told.items()
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
