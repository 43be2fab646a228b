"""Which configuration of a topic is good enough, and with which one a flow must not start."""

from __future__ import annotations

from collections.abc import Mapping

UNLIMITED = "-1"

_AT_LEAST = frozenset(
    {
        "max.message.bytes",
        "min.compaction.lag.ms",
        "min.insync.replicas",
        "retention.bytes",
        "retention.ms",
    }
)
"""Settings of which more is as good; all others must be equal."""

_LOSSES = {
    "min.insync.replicas": "a record may be acknowledged that only one broker has",
    "unclean.leader.election.enable": "a broker that lacks acknowledged records may become leader",
    "max.message.bytes": "a record that fits another topic of ours cannot be written to this one, "
    "and the flow would stop at it",
}
"""What follows from a setting that is not good enough, where records may be lost or stop a flow."""


def suffices(name: str, found: str, wanted: str) -> bool:
    """Whether ``found`` does what ``wanted`` is for."""
    if name not in _AT_LEAST:
        return found == wanted
    return found == UNLIMITED or (wanted != UNLIMITED and int(found) >= int(wanted))


def risk_of(name: str, found: str, wanted: Mapping[str, str]) -> str | None:
    """Why no flow may start while ``name`` is ``found``; None when it may."""
    if suffices(name, found, wanted[name]):
        return None
    if name == "cleanup.policy":
        compacted = "compact" in found and "compact" not in wanted[name]
        return "records of one key would vanish before they are read" if compacted else None
    return _LOSSES.get(name)
