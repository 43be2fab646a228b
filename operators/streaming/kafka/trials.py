"""Which suspect of a process's partitions is called next, one at a time."""

from __future__ import annotations

from collections.abc import Collection

from operators.streaming.kafka.partition import Partition


class Trials:
    """Not thread-safe: its owner locks it."""

    def __init__(self) -> None:
        self._alone: Partition | None = None
        """Its record is the only one that this process may call."""

    def may_emit(self, partition: Partition) -> bool:
        """Whether suspicion allows to emit what was read next of ``partition``."""
        return self._alone in (None, partition) and partition.may_emit

    def choose(self, partitions: Collection[Partition]) -> None:
        """Choose the next record to be called alone, unless one is being called.

        The record is emitted when a commit has announced it; a known killer at once, because it is
        not called. A record that was called at the last death comes first, so that an innocent one
        is cleared soon; then one of the partition with most deaths, so that none waits for ever.
        """
        isolated = [p for p in partitions if p.suspects.isolated and p.claimed]
        if any(partition.trial is not None or partition.waiting for partition in isolated):
            return
        ready = [(p, offset) for p in isolated if (offset := p.next) is not None and not p.closing]
        if not ready:
            return
        partition, offset = max(ready, key=_urgency)
        if offset == partition.killer:
            partition.trial, partition.announced = offset, True
            return
        suspects = partition.suspects.try_alone(offset)
        if suspects.trials > 1:
            self._alone = partition
            if any(other.waiting for other in partitions):
                return
        partition.suspects, partition.trial = suspects, offset

    def end(self, partition: Partition) -> None:
        """The trial of ``partition`` is handled, or the partition belongs to another process."""
        partition.trial, partition.announced = None, False
        if partition is self._alone:
            self._alone = None


def _urgency(at: tuple[Partition, int]) -> tuple[int, int]:
    partition, offset = at
    return partition.suspects.try_alone(offset).trials, partition.suspects.deaths
