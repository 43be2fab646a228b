"""File topics as a source of the engine; its recovered state is the byte offset."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from operators.streaming.engine.gate import Gate
from operators.streaming.files.topic import FileTopic, PartitionReader
from schemas.records import Record

BATCH = 128
"""Records emitted at once, at most."""
IDLE = timedelta(milliseconds=5)
"""How long a partition sleeps at its end before it looks again."""
LAG_EVERY_SECONDS = 1.0


class FileTopicSource(FixedPartitionedSource[tuple[str, Record], int]):
    """Reads a file topic as one source partition per topic partition, and tails it.

    Each record is emitted under its partition, which is the name of its lane.
    """

    def __init__(
        self,
        topic: FileTopic,
        gate: Gate,
        stop: threading.Event,
        *,
        once: bool,
        observe: Callable[[int, int, int], None],
    ) -> None:
        """Emits no more than ``gate`` has room for; ends when ``stop`` is set, and with ``once``
        at the end that the topic has at the start.

        ``observe`` is told partition, records emitted and bytes not yet read, whenever records
        were emitted and at least each second.
        """
        self._topic = topic
        self._gate = gate
        self._stop = stop
        self._once = once
        self._observe = observe

    def list_parts(self) -> list[str]:
        return [f"{partition:03d}" for partition in range(self._topic.partitions)]

    def build_part(
        self, step_id: str, for_part: str, resume_state: int | None
    ) -> StatefulSourcePartition[tuple[str, Record], int]:
        partition = int(for_part)
        return _Partition(
            for_part,
            PartitionReader(self._topic, partition, resume_state or 0),
            self._gate,
            self._stop,
            self._topic.end_offsets()[partition] if self._once else None,
            lambda emitted, lag: self._observe(partition, emitted, lag),
        )


class _Partition(StatefulSourcePartition[tuple[str, Record], int]):
    def __init__(
        self,
        name: str,
        reader: PartitionReader,
        gate: Gate,
        stop: threading.Event,
        last: int | None,
        observe: Callable[[int, int], None],
    ) -> None:
        """``last``: the offset to end at, None to tail."""
        self._name = name
        self._reader = reader
        self._gate = gate
        self._stop = stop
        self._last = last
        self._observe = observe
        self._observed = 0.0
        self._awake: datetime | None = None

    def next_batch(self) -> list[tuple[str, Record]]:
        if self._stop.is_set() or (self._last is not None and self._reader.offset >= self._last):
            raise StopIteration
        room = min(BATCH, self._gate.room)
        records = self._reader.read(room)
        self._gate.enter(len(records))
        # At the end: sleep. Gate closed: None, the engine looks again after a millisecond.
        self._awake = datetime.now(UTC) + IDLE if room and not records else None
        if records or time.monotonic() - self._observed > LAG_EVERY_SECONDS:
            self._observed = time.monotonic()
            self._observe(len(records), self._reader.size - self._reader.offset)
        return [(self._name, record) for record in records]

    def next_awake(self) -> datetime | None:
        return self._awake

    def snapshot(self) -> int:
        return self._reader.offset

    def close(self) -> None:
        self._reader.close()
