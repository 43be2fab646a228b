"""What a consumer group's committed offset says of a partition, beside the offset itself.

The committed offset is the first record that is not handled, so that lag is true for whoever looks
at the group. Later records may be handled already: which of them are not is in the commit's
metadata, so that the commit alone tells exactly where another process, with a recovery store of
its own, has to go on (decisions/082). The metadata also names the owner: the recovery store whose
process reads the partition.

    {"store": "4f0c...", "beat": 1021, "ended": false, "position": 512, "pending": "0-3,17"}

Position and pending are counted from the committed offset.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

LONGEST = 4000
"""Characters of metadata; brokers take 4,096 bytes (offset.metadata.max.bytes)."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a partition's records have been handled."""

    position: int
    """No record from here on has been handled."""
    pending: tuple[int, ...] = ()
    """Offsets below the position that have not been handled, ascending."""

    @property
    def committed(self) -> int:
        """The first offset that has not been handled."""
        return self.pending[0] if self.pending else self.position


@dataclass(frozen=True, slots=True)
class Commit:
    """A partition's committed offset with what its metadata says."""

    progress: Progress
    store: str = ""
    """Id of the owner's recovery store; empty: no flow has committed it."""
    beat: int = 0
    """Grows while the owner lives."""
    ended: bool = True
    """The owner has ended in order, and everything it wrote belongs to ``progress``."""

    def metadata(self) -> str:
        first = self.progress.committed
        fields = {
            "store": self.store,
            "beat": self.beat,
            "ended": self.ended,
            "position": self.progress.position - first,
            "pending": _ranges([offset - first for offset in self.progress.pending]),
        }
        text = json.dumps(fields)
        if len(text) <= LONGEST:
            return text
        # Too scattered to be told: whoever goes on from here repeats what was handled after it.
        return json.dumps(fields | {"position": 0, "pending": "", "ended": False})

    @classmethod
    def parse(cls, offset: int, metadata: str | None) -> Commit:
        """The commit as it was read; of another tool's, only the offset counts."""
        try:
            fields = json.loads(metadata or "")
            pending = tuple(offset + ahead for ahead in _numbers(fields["pending"]))
            return cls(
                Progress(offset + int(fields["position"]), pending),
                str(fields["store"]),
                int(fields["beat"]),
                bool(fields["ended"]),
            )
        except (ValueError, KeyError, TypeError):
            return cls(Progress(offset))


def _ranges(numbers: list[int]) -> str:
    """Ascending numbers as "0-3,17"."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ",".join(f"{a}-{b}" if b > a else f"{a}" for a, b in ranges)


def _numbers(ranges: str) -> list[int]:
    numbers: list[int] = []
    for part in filter(None, ranges.split(",")):
        first, _, last = part.partition("-")
        numbers.extend(range(int(first), int(last or first) + 1))
    return numbers
