"""A record of a topic, whatever the transport."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SOURCE = "source-position"
"""Header of a flow's output on Kafka: topic/partition/offset of its input record."""

TRACE_HEADERS = ("traceparent", "tracestate")
"""W3C Trace Context: a flow's output belongs to the trace of its input."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a record is. ``offset``: byte position (file topics) or Kafka offset."""

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
    """Bytes on a topic that are not a record: they are in ``value``; the key may be empty."""

    problem: str = ""
