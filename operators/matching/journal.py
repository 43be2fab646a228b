"""Stage timings and degradations of one look, as published in its event."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from schemas.errors import DeadlineExceeded, LookSyncError, Unavailable


class Journal:
    """Collects the timings and degradations of one look; the stages write to it."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._stages: dict[str, float] = {}
        self.degraded: list[str] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure the wall-clock time of the body in milliseconds.

        A stage that runs once per layer, concurrently, counts with its slowest layer.
        """
        start = time.perf_counter()
        try:
            yield
        finally:
            elapsed = (time.perf_counter() - start) * 1000
            self._stages[name] = max(elapsed, self._stages.get(name, 0.0))

    def timings_ms(self) -> dict[str, float]:
        """Milliseconds per stage, and ``total`` since the journal was created.

        Rounded to microseconds.
        """
        total = (time.perf_counter() - self._began) * 1000
        timings = {**self._stages, "total": total}
        return {name: round(elapsed, 3) for name, elapsed in timings.items()}

    def degrade(self, stage: str, cause: LookSyncError | str) -> None:
        """Record once that ``stage`` was degraded, e.g. ``describe:deadline``."""
        entry = f"{stage}:{cause if isinstance(cause, str) else _code(cause)}"
        if entry not in self.degraded:
            self.degraded.append(entry)


def _code(error: LookSyncError) -> str:
    if isinstance(error, DeadlineExceeded):
        return "deadline"
    return "unavailable" if isinstance(error, Unavailable) else error.reason
