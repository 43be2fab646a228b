"""Limits on the calls of a lane."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.errors import PictureUnavailable

DEATHS = 2
"""Processes that died in a row, before records are called one by one."""
TRIALS = 5
"""Deaths while the same record was called alone, before it becomes a dead letter. A process that is
killed at random times within seconds, again and again, must not blame what it happened to call."""


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """Limits on the calls: concurrency, time per attempt, and retries."""

    window: int
    """Most calls at once."""
    deadline_seconds: float
    """For one attempt, including its waits for services; enforced within 5 %."""
    attempts: int
    """Most attempts for an item whose picture is unavailable."""
    first_pause_seconds: float = 0.2
    longest_pause_seconds: float = 10.0
    """Pauses double from the first to the longest; each is shortened at random by up to a half."""
    attempts_alone: int = 16
    """Most failures of an item at a service that answers others in between: about 90 s. Of a
    service that fails half of all calls, 1 item in 65,000 is given up."""

    def is_last(self, attempt: int, error: PictureUnavailable) -> bool:
        """Whether an item whose picture is unavailable is given up after ``attempt``."""
        left = sum(map(self.longest_pause, range(attempt, self.attempts)))
        return not left or error.retry_after_seconds > left

    def longest_pause(self, attempt: int) -> float:
        """Seconds between ``attempt`` and the next, before they are shortened at random."""
        # The exponent is capped: after a day's outage 2.0**attempt would overflow.
        grown = self.first_pause_seconds * 2.0 ** min(attempt - 1, 30)
        return min(self.longest_pause_seconds, grown)
