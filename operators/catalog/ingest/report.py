"""The outcome for the rows of a run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from operators.catalog.feeds.read import RejectedRow

SHOWN = 20
"""Rows that the report names; the others are counted."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """A row whose id was read before in the same run."""

    place: str
    """``file:line``."""
    key: str
    first: str
    """``file:line`` of the row that counts."""
    same: bool
    """Equal to the first row: no data is lost."""


@dataclass(slots=True)
class IngestReport:
    """Counts, and the first rows with each kind of problem."""

    topic: str
    dry_run: bool = False
    read: int = 0
    """Rows; a row with several variants counts once per variant."""
    skipped: int = 0
    """Rows that the mapping's ``feed.skip`` says are no products."""
    sent: int = 0
    """Packets, the deletions of absent products included."""
    refused: Counter[str] = field(default_factory=Counter)
    """Reason -> rows, those with a repeated id and other values included."""
    first_refused: list[tuple[str, RejectedRow]] = field(default_factory=list)
    """With the name of the file."""
    repeated: int = 0
    first_repeated: list[Repeat] = field(default_factory=list)
    notes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(field, reason) -> rows whose field was cut, emptied or read leniently."""
    never_present: tuple[str, ...] = ()
    """Mapped fields of which no row had a value."""
    broken: list[str] = field(default_factory=list)
    """Files that could not be read to their end, and why."""
    unchanged: list[str] = field(default_factory=list)
    """URLs whose file has not changed since the last run."""
    known: int | None = None
    """Snapshots: live products of the vendor before the run."""
    absent: int = 0
    """Snapshots: live products absent from every row."""
    first_absent: list[str] = field(default_factory=list)
    withheld: str | None = None
    """Snapshots: why absent products were not deleted."""
    max_refused: float = 0.05

    @property
    def rows_refused(self) -> int:
        return self.refused.total()

    @property
    def refused_share(self) -> float:
        return self.rows_refused / self.read if self.read else 0.0

    @property
    def too_many_refused(self) -> bool:
        return self.refused_share > self.max_refused

    @property
    def failed(self) -> bool:
        """Whether the run needs attention."""
        return bool(self.broken) or self.too_many_refused or self.withheld is not None

    def refuse(self, file: str, row: RejectedRow) -> None:
        """Count a refused row."""
        self.refused[row.reason] += 1
        if len(self.first_refused) < SHOWN:
            self.first_refused.append((file, row))

    def repeat(self, repeat: Repeat) -> None:
        """Count a repeated id."""
        self.repeated += 1
        if len(self.first_repeated) < SHOWN:
            self.first_repeated.append(repeat)
