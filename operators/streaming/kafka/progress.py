"""A partition's committed offset in the consumer group, and its metadata.

The committed offset is the first record that is not handled, so that the group's lag is correct.
Later records may be handled already: the metadata lists which are not, so that the commit alone
says where the partition's next owner resumes (decisions/080). The metadata also names the
transactional id of the owner, and the topic that the offset counts records of.

    {"owner": "looksync.catalog.host-0", "transaction": 1021, "ended": false,
     "cluster": "mZ8W9kfZTW6brazO87vOGw", "topic": "BKgoYE9NTUWWZrDfX5jF4A",
     "position": 512, "pending": "0-3,17"}

After the death of an owner it also says which records are suspected of it
(operators.streaming.kafka.suspects): {"deaths": 2, "until": 528, "trial": [17, 1], ...}. All
offsets are relative to the committed one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from operators.streaming.kafka.suspects import NO_SUSPECTS, Suspects

MOST_PENDING = 400
"""Records of a partition that may be in flight at once, so that the metadata fits into the 4,096
bytes that brokers accept (offset.metadata.max.bytes): 9 bytes for each even when none are
neighbours and the last is 10 million records after the first."""


@dataclass(frozen=True, slots=True)
class TopicIdentity:
    """Which topic a position is in: a name may be given to another one."""

    cluster: str
    topic: str
    """Kafka's id of the topic."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Which records of a partition have been handled."""

    position: int
    """No record from here on has been handled."""
    pending: tuple[int, ...] = ()
    """Offsets below the position that have not been handled, ascending."""

    @property
    def committed(self) -> int:
        """The first offset that has not been handled."""
        return self.pending[0] if self.pending else self.position


@dataclass(frozen=True, slots=True)
class Commit:
    """A partition's committed offset and its metadata."""

    progress: Progress
    owner: str = ""
    """Transactional id of the process that committed it; empty: no flow has."""
    transaction: int = 0
    """The number of the owner's transaction."""
    ended: bool = True
    """The owner has released the partition: it has no transaction that touches the partition."""
    identity: TopicIdentity | None = None
    """None: committed by another tool, or an older version."""
    reserved: str = ""
    """The job that works in the flow's place: the flow does not start before it has ended."""
    suspects: Suspects = NO_SUSPECTS

    def metadata(self) -> str:
        first = self.progress.committed
        fields = {
            "owner": self.owner,
            "transaction": self.transaction,
            "ended": self.ended,
            "position": self.progress.position - first,
            "pending": _ranges([offset - first for offset in self.progress.pending]),
        }
        if self.identity is not None:
            fields |= {"cluster": self.identity.cluster, "topic": self.identity.topic}
        if self.reserved:
            fields |= {"reserved": self.reserved}
        if self.suspects.deaths:
            fields |= {"deaths": self.suspects.deaths, "until": self.suspects.until - first}
        if self.suspects.trial is not None:
            fields |= {"trial": [self.suspects.trial - first, self.suspects.trials]}
        return json.dumps(fields, separators=(",", ":"))

    @classmethod
    def parse(cls, offset: int, metadata: str | None) -> Commit:
        """The commit at ``offset``; metadata of another tool is ignored."""
        try:
            fields = json.loads(metadata or "")
            pending = tuple(offset + ahead for ahead in _numbers(fields["pending"]))
            cluster, topic = fields.get("cluster"), fields.get("topic")
            return cls(
                Progress(offset + int(fields["position"]), pending),
                str(fields.get("owner", "")),
                int(fields["transaction"] if "transaction" in fields else fields["beat"]),
                bool(fields["ended"]),
                TopicIdentity(str(cluster), str(topic)) if cluster and topic else None,
                str(fields.get("reserved", "")),
                _suspects(fields, offset),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls(Progress(offset))


def _suspects(fields: dict[str, Any], first: int) -> Suspects:
    """Raises ValueError, KeyError or TypeError."""
    if "deaths" not in fields:
        return NO_SUSPECTS
    suspects = Suspects(int(fields["deaths"]), first + int(fields["until"]))
    if "trial" not in fields:
        return suspects
    trial, trials = fields["trial"]
    return replace(suspects, trial=first + int(trial), trials=int(trials))


def _ranges(numbers: list[int]) -> str:
    """Ascending numbers as "0-3,17"."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ",".join(f"{a}-{b}" if b > a else f"{a}" for a, b in ranges)


def _numbers(ranges: str) -> list[int]:
    numbers: list[int] = []
    for piece in filter(None, ranges.split(",")):
        first, _, last = piece.partition("-")
        numbers.extend(range(int(first), int(last or first) + 1))
    return numbers
