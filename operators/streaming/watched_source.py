"""A source whose moves are told to the flow's health: proof that the engine's loop goes round."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from operators.streaming.health import Health

Item = TypeVar("Item")
State = TypeVar("State")


class WatchedSource(FixedPartitionedSource[Item, State]):
    """``source``, and ``health`` is told of each batch asked for and each position snapshot."""

    def __init__(self, source: FixedPartitionedSource[Item, State], health: Health) -> None:
        self._source = source
        self._health = health

    def list_parts(self) -> list[str]:
        return self._source.list_parts()

    def build_part(
        self, step_id: str, for_part: str, resume_state: State | None
    ) -> StatefulSourcePartition[Item, State]:
        return _Partition(self._source.build_part(step_id, for_part, resume_state), self._health)


class _Partition(StatefulSourcePartition[Item, State]):
    def __init__(self, partition: StatefulSourcePartition[Item, State], health: Health) -> None:
        self._partition = partition
        self._health = health

    def next_batch(self) -> Iterable[Item]:
        self._health.source_moved()
        try:
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
