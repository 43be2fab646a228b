"""What one process knows of a partition that it reads."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from operators.streaming.kafka.rules import ReadState
from operators.streaming.kafka.suspects import NO_SUSPECTS, Suspects
from schemas.records import Record


@dataclass(slots=True, eq=False)
class Input:
    """A record in flight."""

    record: Record
    steps: int
    """Output steps that have not seen its outcome yet."""
    started: bool = False
    """Its call has begun, and may have had effects."""
    outputs: list[tuple[str, Record]] = field(default_factory=list)
    """Topic and record of each."""

    @property
    def size(self) -> int:
        """Bytes of the record and its outputs."""
        return len(self.record.value) + sum(len(record.value) for _, record in self.outputs)


@dataclass(slots=True)
class Partition:
    """A partition's records, read and in flight."""

    state: ReadState
    read_ahead: deque[Record | int] = field(default_factory=deque)
    """Records that have been read; a number: there is no record before that offset."""
    in_flight: dict[int, Input] = field(default_factory=dict)
    """By offset."""
    handled: int = 0
    """How many of those in flight only wait for their transaction."""
    claimed: bool = False
    """A commit of this process names it as the owner; before that no record is emitted."""
    closing: bool = False
    given_up: bool = False
    suspects: Suspects = NO_SUSPECTS
    prepared: int = 0
    """The position in the commit that is prepared."""
    committed: int = 0
    """The position in the last commit."""
    trial: int | None = None
    """Offset of the record to be called alone, until it is handled."""
    announced: bool = False
    """A commit has the trial: the record may be emitted."""
    killer: int | None = None
    """Offset of a record that is not called, because it has killed earlier owners."""

    @classmethod
    def after(cls, start: ReadState, suspects: Suspects) -> Partition:
        """As its new owner takes it over."""
        return cls(
            start,
            suspects=suspects,
            prepared=start.reached,
            committed=start.reached,
            killer=suspects.killer,
        )

    @property
    def next(self) -> int | None:
        """Offset of the next record to be handled, if the next thing that was read is one."""
        if not self.read_ahead or isinstance(self.read_ahead[0], int):
            return None
        _, offset = place_of(self.read_ahead[0])
        return offset if self.state.emits(offset) else None

    @property
    def may_emit(self) -> bool:
        """Whether suspicion allows to emit what was read next."""
        offset = self.next
        if offset is None:
            return True
        if self.suspects.isolated:
            return self.trial == offset and self.announced
        return offset < self.committed + self.suspects.lead

    @property
    def waiting(self) -> int:
        """How many records in flight have no outcome yet."""
        return len(self.in_flight) - self.handled


def place_of(record: Record) -> tuple[int, int]:
    """Partition and offset."""
    assert record.position is not None, "a record that was read"
    return record.position.partition, record.position.offset


def size_of(read: Record | int) -> int:
    """Bytes."""
    return 0 if isinstance(read, int) else len(read.value)
