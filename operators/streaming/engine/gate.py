"""Back-pressure from lanes to sources: how many items may be between the two."""

from __future__ import annotations

import threading


class Gate:
    """Counts the items of one process that a source has emitted and no lane has let go yet.

    Sources and lanes may run in several of the engine's threads.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._inside = 0
        self._lock = threading.Lock()

    @property
    def inside(self) -> int:
        return self._inside

    @property
    def room(self) -> int:
        """How many items a source may emit now; never negative."""
        return max(0, self._capacity - self._inside)

    def enter(self, items: int) -> None:
        """Also by a lane for what it recovers, which may exceed the capacity."""
        with self._lock:
            self._inside += items

    def leave(self, items: int) -> None:
        with self._lock:
            self._inside -= items
