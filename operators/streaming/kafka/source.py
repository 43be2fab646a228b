"""A Kafka topic as a source of the engine; its recovered state is the offset.

Partitions are assigned, never subscribed to: the engine's snapshot says where to go on, and which
process has which partition is kafka_ownership's. The group's committed offset follows what has
become durable: the first next_batch after a snapshot proves that its epoch has ended.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from confluent_kafka import KafkaError, Message, TopicPartition

from operators.streaming.engine.gate import Gate
from operators.streaming.kafka.ownership import Ownership
from operators.streaming.kafka.progress import Progress
from operators.streaming.kafka.records import from_message
from schemas.errors import Misconfigured
from schemas.records import Record

log = structlog.get_logger()

BATCH = 128
"""Records emitted at once, at most."""
IDLE = timedelta(milliseconds=5)
"""How long a partition sleeps when nothing has come before it looks again."""
LAG_EVERY_SECONDS = 1.0

State = tuple[int, int, tuple[int, ...]]
"""Offset of the next record; a position that another process had reached, and the offsets below
it that it had not handled: of those before the position, only they are emitted."""
Pending = Mapping[Any, Iterable[Any]]
"""Per lane, what it held at its last snapshot."""


class KafkaTopicSource(FixedPartitionedSource[tuple[str, Record], State]):
    """Reads the partitions of a topic that this process owns, and tails them.

    Each record is emitted under its partition, which is the name of its lane.
    """

    def __init__(
        self,
        ownership: Ownership,
        gate: Gate,
        stop: threading.Event,
        *,
        once: bool,
        pending: Pending,
        observe: Callable[[int, int, int], None],
        lost: Callable[[int, int], None],
    ) -> None:
        """Emits no more than ``gate`` has room for; ends when ``stop`` is set, and with ``once``
        at the end that the topic has at the start.

        ``observe`` is told partition, records emitted and records not yet read, whenever records
        were emitted and at least each second; ``lost`` partition and number of records that were
        deleted before they were read, when the settings accept that.
        """
        self._ownership = ownership
        self._gate = gate
        self._stop = stop
        self._once = once
        self._pending = pending
        self._observe = observe
        self._lost = lost
        self._built: list[_Partition] = []

    def list_parts(self) -> list[str]:
        return [f"{partition:03d}" for partition in sorted(self._ownership.partitions)]

    def build_part(
        self, step_id: str, for_part: str, resume_state: State | None
    ) -> StatefulSourcePartition[tuple[str, Record], State]:
        partition = int(for_part)
        if resume_state is None:
            start = self._ownership.start(partition)
            resume_state = (start.committed, start.position, start.pending)
        part = _Partition(
            self._ownership,
            partition,
            resume_state,
            self._gate,
            self._stop,
            once=self._once,
            pending=self._pending,
            observe=lambda emitted, lag: self._observe(partition, emitted, lag),
            lost=lambda records: self._lost(partition, records),
        )
        self._built.append(part)
        return part

    def progress(self) -> dict[int, Progress]:
        """How far each partition is; after the engine's end in order, all of it is durable."""
        return {part.partition: part.progress() for part in self._built}


class _Partition(StatefulSourcePartition[tuple[str, Record], State]):
    def __init__(
        self,
        ownership: Ownership,
        partition: int,
        start: State,
        gate: Gate,
        stop: threading.Event,
        *,
        once: bool,
        pending: Pending,
        observe: Callable[[int, int], None],
        lost: Callable[[int], None],
    ) -> None:
        self.partition = partition
        self._topic = ownership.topic
        self._brokers = ownership.topic.brokers
        self._ownership = ownership
        self._offset, self._reached, unhandled = start
        self._unhandled = frozenset(unhandled)
        self._gate = gate
        self._stop = stop
        self._pending = pending
        self._observe = observe
        self._lost = lost
        self._observed = 0.0
        self._awake: datetime | None = None
        self._snapshot: int | None = None
        """Offset of a snapshot of which is not known yet whether it is durable."""
        # Without a group of its own, only the commits of kafka_ownership count.
        self._consumer = self._brokers.consumer("looksync.reader", **{"enable.partition.eof": True})
        first, end = self._watermarks()
        self._last = end if once else None
        if self._offset > end:
            raise Misconfigured(
                f"{self._name} ends before offset {self._offset}, where reading is to go on: the "
                "topic was replaced; remove the flow's recovery folder and reset its consumer "
                "group to start afresh"
            )
        if self._offset < first:
            self._bridge(first)
        self._consumer.assign([self._at(self._offset)])

    def next_batch(self) -> list[tuple[str, Record]]:
        self._ownership.check()
        if self._snapshot is not None:
            self._ownership.advance(self.partition, self._handled(self._snapshot))
            self._snapshot = None
        if self._stop.is_set() or (self._last is not None and self._offset >= self._last):
            raise StopIteration
        room = min(BATCH, self._gate.room)
        records = self._read(room) if room else []
        self._gate.enter(len(records))
        # Nothing there: sleep. Gate closed: None, the engine looks again after a millisecond.
        self._awake = datetime.now(UTC) + IDLE if room and not records else None
        if records or time.monotonic() - self._observed > LAG_EVERY_SECONDS:
            self._observed = time.monotonic()
            self._observe(len(records), self._lag())
        name = f"{self.partition:03d}"
        return [(name, record) for record in records]

    def next_awake(self) -> datetime | None:
        return self._awake

    def snapshot(self) -> State:
        self._snapshot = self._offset
        if self._offset >= self._reached:
            return (self._offset, self._offset, ())
        return (self._offset, self._reached, tuple(sorted(self._unhandled)))

    def close(self) -> None:
        self._consumer.close()

    def progress(self) -> Progress:
        return self._handled(self._offset)

    def _handled(self, offset: int) -> Progress:
        """How far records have been handled when those before ``offset`` have been emitted."""
        held: set[int] = set()
        for records in list(self._pending.values()):
            positions = [record.position for record in records]
            if positions and positions[0].partition == self.partition:
                held.update(position.offset for position in positions)
        held.update(ahead for ahead in self._unhandled if ahead >= offset)
        # What a lane took since then is not below the offset.
        reached = max(offset, self._reached)
        return Progress(reached, tuple(sorted(held_ for held_ in held if held_ < reached)))

    def _read(self, room: int) -> list[Record]:
        records: list[Record] = []
        for message in self._consumer.consume(room, 0.0):
            error = message.error()
            if error is not None:
                self._on_error(error, message)
                continue
            record = from_message(message)
            assert record.position is not None, "a record that was read"
            offset = record.position.offset
            self._offset = offset + 1
            if offset >= self._reached or offset in self._unhandled:
                records.append(record)
        return records

    def _on_error(self, error: KafkaError, message: Message[bytes, bytes]) -> None:
        match error.code():
            case KafkaError._PARTITION_EOF:
                # The last offsets may be transaction markers, which are no messages.
                self._offset = max(self._offset, message.offset() or 0)
            case KafkaError._AUTO_OFFSET_RESET:
                first, _ = self._watermarks()
                self._bridge(first)
                self._consumer.assign([self._at(self._offset)])
            case KafkaError.UNKNOWN_TOPIC_OR_PART | KafkaError._UNKNOWN_PARTITION:
                raise Misconfigured(f"{self._name} has been deleted: {error}")
            case _ if isinstance(explained := self._brokers.explained(error), Misconfigured):
                raise explained
            case _:
                log.warning("kafka consumer", partition=self._name, error=str(error))

    def _bridge(self, first: int) -> None:
        """Go on at ``first``, if the settings accept what is lost."""
        count = first - self._offset
        gap = (
            f"{self._name}: records {self._offset} to {first - 1} ({count} records) were deleted "
            "before they were read"
        )
        if not self._brokers.settings.accept_gaps:
            raise Misconfigured(
                f"{gap}; set topics.kafka.accept_gaps = true to go on at {first}, and give the "
                "topic a longer retention"
            )
        log.error("records lost", gap=gap)
        self._lost(count)
        self._offset = first
        self._unhandled = frozenset(offset for offset in self._unhandled if offset >= first)

    def _watermarks(self) -> tuple[int, int]:
        """First offset there is, and the next one that will be."""
        timeout = self._brokers.settings.timeout_seconds
        with self._brokers.asked():
            return self._consumer.get_watermark_offsets(self._at(0), timeout=timeout)

    def _lag(self) -> int:
        """Records not yet read, as far as the last fetch told."""
        _, end = self._consumer.get_watermark_offsets(self._at(0), cached=True)
        return max(0, end - self._offset)

    def _at(self, offset: int) -> TopicPartition:
        return TopicPartition(self._topic.name, self.partition, offset)

    @property
    def _name(self) -> str:
        return f"{self._topic.name}/{self.partition}"
