"""A Kafka topic as a source of the engine: one part, with the partitions that the group assigns.

It has no state in the engine: the group's commits say what is handled.
"""

from __future__ import annotations

import threading
from collections import Counter
from datetime import datetime

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from operators.streaming.engine.pace import DUE, Pace
from operators.streaming.kafka.member import Member
from schemas.records import Record


class KafkaTopicSource(FixedPartitionedSource[tuple[str, Record], None]):
    """Emits each record under its partition, which is the name of its lane."""

    def __init__(self, member: Member, stop: threading.Event, *, once: bool) -> None:
        """``member``: not started yet. Ends when ``stop`` is set; with ``once``, when the group has
        handled what the topic holds now."""
        self._member = member
        self._stop = stop
        if once:
            member.end_at(member.topic.end_offsets())

    def list_parts(self) -> list[str]:
        return ["all"]

    def build_part(
        self, step_id: str, for_part: str, resume_state: None
    ) -> StatefulSourcePartition[tuple[str, Record], None]:
        return _Source(self._member, self._stop)


class _Source(StatefulSourcePartition[tuple[str, Record], None]):
    def __init__(self, member: Member, stop: threading.Event) -> None:
        self._member = member
        self._stop = stop
        self._pace = Pace(member.inputs.gate)
        self._pace.opened()

    def next_batch(self) -> list[tuple[str, Record]]:
        self._member.check()
        if self._stop.is_set() or self._member.at_end:
            raise StopIteration
        records = self._member.inputs.take()
        self._pace.emitted(len(records))
        named = [(f"{_partition(record):03d}", record) for record in records]
        for partition, emitted in Counter(map(_partition, records)).items():
            self._member.metrics.emitted(partition, emitted)
        return named

    def next_awake(self) -> datetime:
        return DUE

    def snapshot(self) -> None:
        return None


def _partition(record: Record) -> int:
    assert record.position is not None, "a record that was read"
    return record.position.partition
