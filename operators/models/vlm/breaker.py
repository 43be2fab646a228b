"""A circuit breaker: a server that is down is not asked again and again.

As in Nygard, Release It! (2007): closed while calls succeed; open after some failures in a row,
when every call is refused at once; half-open after a while, when one call is let through to probe.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from schemas.errors import DeadlineExceeded, Unavailable


class CircuitBreaker:
    """For one server; to be used from one event loop."""

    def __init__(
        self,
        failures: int,
        open_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._allowed = failures
        self._open_seconds = open_seconds
        self._clock = clock
        self._failed = 0
        self._opened_at = 0.0
        self._probing = False

    @property
    def state(self) -> str:
        """closed, open or half-open."""
        if self._failed < self._allowed:
            return "closed"
        waited = self._clock() - self._opened_at
        return "half-open" if waited >= self._open_seconds else "open"

    @contextmanager
    def call(self) -> Iterator[None]:
        """Around one call. Raises Unavailable without calling while the circuit is open.

        Unavailable and DeadlineExceeded count as failures; anything else says nothing about the
        server.
        """
        state = self.state
        if state == "open" or (state == "half-open" and self._probing):
            raise Unavailable(
                f"the model server failed {self._failed} times in a row and is left alone for "
                f"{self._open_seconds:g} s",
                reason="circuit-open",
            )
        probe = state == "half-open"
        self._probing |= probe
        try:
            yield
        except (Unavailable, DeadlineExceeded):
            self._failed += 1
            self._opened_at = self._clock()
            raise
        else:
            self._failed = 0
        finally:
            if probe:
                self._probing = False
