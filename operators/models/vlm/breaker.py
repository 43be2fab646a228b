"""A circuit breaker (Nygard, Release It!, 2007): calls to a failing server are refused at once.

Closed while calls succeed; open after a number of consecutive failures, when calls are refused;
half-open after a pause, when a single call probes the server.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from schemas.errors import DeadlineExceeded, Unavailable

log = structlog.get_logger()


class CircuitBreaker:
    """Guards the calls to one server. Use from one event loop."""

    def __init__(
        self,
        max_failures: int,
        open_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_failures = max_failures
        self._open_seconds = open_seconds
        self._clock = clock
        self._failures = 0
        self._last_failure = 0.0
        self._last_error = ""
        self._probing = False

    @property
    def state(self) -> str:
        """``closed``, ``open`` or ``half-open``."""
        if self._failures < self._max_failures:
            return "closed"
        paused = self._clock() - self._last_failure
        return "half-open" if paused >= self._open_seconds else "open"

    @contextmanager
    def call(self) -> Iterator[None]:
        """Guard one call. Raises Unavailable, without running the body, while the circuit is open.

        Unavailable and DeadlineExceeded count as failures of the server; other errors do not count
        at all. Every failure restarts the pause.
        """
        state = self.state
        if state == "open" or (state == "half-open" and self._probing):
            raise Unavailable(
                f"the model server failed {self._failures} times in a row, the last time with: "
                f"{self._last_error}; calls pause for {self._open_seconds:g} s",
                reason="circuit-open",
            )
        probe = state == "half-open"
        self._probing |= probe
        try:
            yield
        except (Unavailable, DeadlineExceeded) as error:
            self._failures += 1
            self._last_failure = self._clock()
            self._last_error = str(error)
            if self._failures == self._max_failures:
                log.error(
                    "the model server fails every call, looks are matched without it",
                    failures=self._failures,
                    error=self._last_error,
                )
            raise
        else:
            self._failures = 0
        finally:
            if probe:
                self._probing = False
