"""The decisions of reading a partition, as pure functions: nothing here calls Kafka."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from operators.streaming.kafka.progress import Progress


@dataclass(frozen=True, slots=True)
class ReadState:
    """Where reading a partition stands, and what the previous owner left of it."""

    offset: int
    """Of the next record to be emitted."""
    reached: int
    """No record from here on was handled by the previous owner."""
    unhandled: frozenset[int] = frozenset()
    """Offsets below ``reached`` that the previous owner did not handle."""

    @classmethod
    def after_owner(cls, left: Progress) -> ReadState:
        """Where the next owner starts when the last one has ``left`` this progress."""
        return cls(left.committed, left.position, frozenset(left.pending))

    def emits(self, offset: int) -> bool:
        """Whether the record at ``offset`` is still to be handled."""
        return offset >= self.reached or offset in self.unhandled

    def after(self, offset: int) -> ReadState:
        """The state when everything before ``offset`` has been emitted."""
        return replace(self, offset=offset)

    def skip_gap(self, first: int) -> ReadState:
        """The state when everything before ``first`` has been deleted."""
        unhandled = frozenset(offset for offset in self.unhandled if offset >= first)
        return ReadState(first, self.reached, unhandled)

    def progress(self, in_flight: Collection[int]) -> Progress:
        """What to commit when the records at the offsets ``in_flight`` are not handled yet.

        No record from the commit's position on has been handled. Pending are the unhandled offsets
        below it: those in flight, and those that are yet to be emitted.
        """
        position = max(self.offset, self.reached)
        to_be_emitted = {offset for offset in self.unhandled if offset >= self.offset}
        pending = {*in_flight, *to_be_emitted}
        return Progress(position, tuple(sorted(held for held in pending if held < position)))


def has_reached(offsets: Mapping[int, int], ends: Mapping[int, int]) -> bool:
    """Whether every partition's offset in ``ends`` is reached."""
    return all(offsets.get(partition, 0) >= end for partition, end in ends.items())
