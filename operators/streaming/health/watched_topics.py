"""Sources and sinks that report the engine's reads and writes to the flow's health.

The engine reads and writes on one thread, so a slow topic blocks everything else.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from operators.streaming.health.health import Health, TopicUse

Item = TypeVar("Item")
State = TypeVar("State")


class WatchedSource(FixedPartitionedSource[Item, State]):
    """Wraps ``source`` of ``topic``; each poll and each snapshot counts as progress."""

    def __init__(
        self, source: FixedPartitionedSource[Item, State], topic: str, health: Health
    ) -> None:
        self._source = source
        self._use = health.use_of(topic)
        self._health = health

    def list_parts(self) -> list[str]:
        with self._use:
            return self._source.list_parts()

    def build_part(
        self, step_id: str, for_part: str, resume_state: State | None
    ) -> StatefulSourcePartition[Item, State]:
        with self._use:
            partition = self._source.build_part(step_id, for_part, resume_state)
        return _SourcePartition(partition, self._use, self._health)


class _SourcePartition(StatefulSourcePartition[Item, State]):
    def __init__(
        self, partition: StatefulSourcePartition[Item, State], use: TopicUse, health: Health
    ) -> None:
        self._partition = partition
        self._use = use
        self._health = health

    def next_batch(self) -> Iterable[Item]:
        self._health.source_moved()
        try:
            with self._use:
                return self._partition.next_batch()
        except StopIteration:
            self._health.source_ended()
            raise

    def next_awake(self) -> datetime | None:
        return self._partition.next_awake()

    def snapshot(self) -> State:
        self._health.epoch_ended()
        return self._partition.snapshot()

    def close(self) -> None:
        self._partition.close()


class WatchedSink(FixedPartitionedSink[Item, State]):
    """Wraps ``sink`` of ``topic``; a long write counts as an outage of the topic."""

    def __init__(self, sink: FixedPartitionedSink[Item, State], topic: str, health: Health) -> None:
        self._sink = sink
        self._use = health.use_of(topic)
        self.part_fn = sink.part_fn  # type: ignore[method-assign]  # called for each item

    def list_parts(self) -> list[str]:
        with self._use:
            return self._sink.list_parts()

    def build_part(
        self, step_id: str, for_part: str, resume_state: State | None
    ) -> StatefulSinkPartition[Item, State]:
        with self._use:
            partition = self._sink.build_part(step_id, for_part, resume_state)
        return _SinkPartition(partition, self._use)


class _SinkPartition(StatefulSinkPartition[Item, State]):
    def __init__(self, partition: StatefulSinkPartition[Item, State], use: TopicUse) -> None:
        self._partition = partition
        self._use = use

    def write_batch(self, values: list[Item]) -> None:
        with self._use:
            self._partition.write_batch(values)

    def snapshot(self) -> State:
        with self._use:
            return self._partition.snapshot()

    def close(self) -> None:
        self._partition.close()
