"""Pauses of a source and its lanes that do not depend on the wall clock.

The engine (0.21.1) compares the times that ``next_awake`` and ``notify_at`` return, and its own
pause after an empty batch, with the wall clock. When that is set back by an hour, it calls neither
for an hour: nothing is read, nothing written, no signal noticed. So sources and lanes are due at
all times, and a source that has nothing to emit sleeps in ``next_batch``. The engine's thread waits
as it would between two calls.

Epochs end by the wall clock, too: set back, there is no snapshot until it has caught up or the flow
ends. Nothing is lost by that; after a crash more is repeated.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from operators.streaming.engine.gate import Gate

DUE = datetime(1970, 1, 1, tzinfo=UTC)
"""What ``next_awake`` and ``notify_at`` return: earlier than any wall clock."""

BUSY_SECONDS = 0.001
"""How often outcomes are collected while calls are in flight; most of a lane's own latency."""
IDLE_SECONDS = 0.005
"""How often a source at its end is asked when nothing is in flight."""
QUIET_ROUNDS = 20
"""Rounds without a record or a call in flight until the source counts as idle: outcomes still pass
from the lane to the sinks."""


class Pace:
    """Sleeps once all partitions of a source had nothing to emit. Used in the engine's thread."""

    def __init__(self, gate: Gate, sleep: Callable[[float], None] = time.sleep) -> None:
        self.gate = gate
        self._sleep = sleep
        self._partitions = 0
        self._empty = 0
        """Partitions, one after another, that had nothing to emit."""
        self._quiet = 0

    def opened(self) -> None:
        """A partition takes part."""
        self._partitions += 1

    def closed(self) -> None:
        """A partition has ended."""
        self._partitions -= 1

    def emitted(self, records: int) -> None:
        """A partition was asked, and emits ``records``."""
        if records:
            self._empty = self._quiet = 0
            return
        self._empty += 1
        if self._empty < self._partitions:
            return
        self._empty = 0
        self._quiet = 0 if self.gate.inside else self._quiet + 1
        self._sleep(BUSY_SECONDS if self._quiet < QUIET_ROUNDS else IDLE_SECONDS)
