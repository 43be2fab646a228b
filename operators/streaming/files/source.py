"""File topics as a source of the engine; its recovered state is the byte offset."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from operators.streaming.engine.gate import Gate
from operators.streaming.engine.pace import DUE, Pace
from operators.streaming.files.topic import FileTopic, PartitionReader
from schemas.records import Record

BATCH = 128
"""Most records emitted at once."""
LAG_INTERVAL_SECONDS = 1.0


class FileTopicSource(FixedPartitionedSource[tuple[str, Record], int]):
    """Reads and tails a file topic, with one source partition per topic partition.

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
        """Emits no more than ``gate`` has room for. Ends when ``stop`` is set; with ``once``, at
        the end offset that the topic has at the start.

        ``observe`` is called with partition, records emitted and bytes not yet read, whenever
        records were emitted and at least each second.
        """
        self._topic = topic
        self._stop = stop
        self._once = once
        self._observe = observe
        self._pace = Pace(gate)

    def list_parts(self) -> list[str]:
        return [f"{partition:03d}" for partition in range(self._topic.partitions)]

    def build_part(
        self, step_id: str, for_part: str, resume_state: int | None
    ) -> StatefulSourcePartition[tuple[str, Record], int]:
        partition = int(for_part)
        return _Partition(
            for_part,
            PartitionReader(self._topic, partition, resume_state or 0),
            self._pace,
            self._stop,
            self._topic.end_offsets()[partition] if self._once else None,
            lambda emitted, lag: self._observe(partition, emitted, lag),
        )


class _Partition(StatefulSourcePartition[tuple[str, Record], int]):
    def __init__(
        self,
        name: str,
        reader: PartitionReader,
        pace: Pace,
        stop: threading.Event,
        last: int | None,
        observe: Callable[[int, int], None],
    ) -> None:
        """``last``: the offset to end at; None: tail."""
        self._name = name
        self._reader = reader
        self._stop = stop
        self._last = last
        self._observe = observe
        self._observed = 0.0
        self._pace = pace
        pace.opened()

    def next_batch(self) -> list[tuple[str, Record]]:
        if self._stop.is_set() or (self._last is not None and self._reader.offset >= self._last):
            raise StopIteration
        room = min(BATCH, self._pace.gate.room)
        records = self._reader.read(room, self._pace.gate.room_bytes)
        self._pace.gate.enter(len(records), sum(len(record.value) for record in records))
        if records or time.monotonic() - self._observed > LAG_INTERVAL_SECONDS:
            self._observed = time.monotonic()
            self._observe(len(records), self._reader.size - self._reader.offset)
        self._pace.emitted(len(records))
        return [(self._name, record) for record in records]

    def next_awake(self) -> datetime:
        return DUE

    def snapshot(self) -> int:
        return self._reader.offset

    def close(self) -> None:
        self._pace.closed()
        self._reader.close()
