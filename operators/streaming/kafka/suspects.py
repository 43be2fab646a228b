"""Records that may have killed the process that called them, by a crash in native code or by using
up the memory. Nothing here calls Kafka.

A process that dies reports nothing, but the last commit of a partition shows which records it may
have called: those that were pending, and those up to a fixed number after the position. How the
next owner handles them depends on how many owners have died in a row:

    0   emits at most LEAD records beyond the last commit
    1   emits at most SHORT_LEAD records beyond it, so that a second death leaves few suspects
    2+  calls one suspect at a time, and commits its offset before the call (a trial); from its
        second trial on, a record is the only one that the process calls

A record whose trials have ended with TRIALS deaths becomes a dead letter.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from operators.streaming.engine.call_policy import DEATHS, TRIALS

LEAD = 2_000
"""More than a partition handles between two commits: no limit in practice."""
SHORT_LEAD = 16
"""So few that trials of all suspects take seconds, even of looks."""


@dataclass(frozen=True, slots=True)
class Suspects:
    """Which records of a partition may have killed its owners."""

    deaths: int = 0
    """Owners that died in a row."""
    until: int = 0
    """Offset: every record that an owner that died may have called is before it."""
    trial: int | None = None
    """Offset of the record that is called alone."""
    trials: int = 0
    """How often it has been, this trial included."""

    @property
    def isolated(self) -> bool:
        """Whether records are tried one by one."""
        return self.deaths >= DEATHS

    @property
    def lead(self) -> int:
        """How many records beyond the last commit may be emitted; for those not isolated."""
        return SHORT_LEAD if self.deaths else LEAD

    @property
    def killer(self) -> int | None:
        """Offset of the record that is not called again, seen by the next owner."""
        return self.trial if self.trials >= TRIALS else None

    def after(self, position: int, pending: Collection[int]) -> Suspects:
        """What is left once everything before ``position`` but ``pending`` has been handled."""
        if min(pending, default=position) >= self.until:
            return Suspects()
        if self.trial is None or self.trial >= position or self.trial in pending:
            return self
        return replace(self, trial=None, trials=0)

    def after_death(self, position: int, end: int) -> Suspects:
        """The next owner's view, when ``position`` is in the last commit of the one that died, and
        the partition ends at ``end``."""
        if self.isolated:
            return replace(self, deaths=self.deaths + 1)
        return Suspects(self.deaths + 1, min(position + self.lead, end))

    def try_alone(self, offset: int) -> Suspects:
        """The record at ``offset`` is called next."""
        return replace(self, trial=offset, trials=self.trials + 1 if self.trial == offset else 1)

    def released(self) -> Suspects:
        """The owner ends in order: a trial that it cancels has killed nothing."""
        if self.trials <= 1:
            return replace(self, trial=None, trials=0)
        return replace(self, trials=self.trials - 1)


NO_SUSPECTS = Suspects()
