"""Who joins which consumer group, and where it reports what it reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from operators.metering import Meter


@dataclass(frozen=True, slots=True)
class Membership:
    """Who joins which group."""

    group: str
    instance: str
    """Static id of this process: one that was killed gets its partitions back when it returns."""

    @property
    def owner(self) -> str:
        """The transactional id of this process."""
        return f"{self.group}.{self.instance}"


@dataclass(frozen=True, slots=True)
class SourceMetrics:
    """Where a source reports what it reads."""

    emitted: Callable[[int, int], None]
    """Called with partition and number of records that were emitted."""
    lag: Callable[[dict[int, int]], None]
    """Called each second with the records not yet emitted of each partition that is read here."""
    died: Callable[[], None]
    """Called for each partition whose last owner did not end in order."""
    meter: Meter
    """Of transactions."""
    lost: Callable[[int, int], None]
    """Called with partition and number of records that were deleted before they were read, when
    the settings accept that."""
