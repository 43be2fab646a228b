"""The transport's own record: what a topic carries, whatever the topic is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SOURCE = "source-position"
"""Header of what a flow wrote to Kafka: topic/partition/offset of the record it was made of."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a record stands. ``offset``: byte position (file topics) or Kafka offset."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True, slots=True)
class Record:
    """A keyed record. ``position`` is None until the record has been read from a topic."""

    key: str
    value: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    position: Position | None = None


@dataclass(frozen=True, slots=True)
class MalformedRecord(Record):
    """What a topic holds that is no record: ``value`` has its bytes; the key may be empty."""

    problem: str = ""
