"""Back-pressure from lanes to sources: a limit on the items between the two, and on their bytes."""

from __future__ import annotations

import threading

CAPACITY_BYTES = 64 * 2**20
"""Eight of the largest records that topics are created for."""


class Gate:
    """Counts the items of one process that sources have emitted and lanes have not finished.

    Thread-safe: sources and lanes may run in several threads of the engine.
    """

    def __init__(self, capacity: int, capacity_bytes: int = CAPACITY_BYTES) -> None:
        self._capacity = capacity
        self._capacity_bytes = capacity_bytes
        self._inside = 0
        self._bytes_inside = 0
        self._lock = threading.Lock()
        self.paused = False
        """While set, sources emit nothing."""

    @property
    def inside(self) -> int:
        return self._inside

    @property
    def bytes_inside(self) -> int:
        return self._bytes_inside

    @property
    def room(self) -> int:
        """How many items a source may emit now; never negative."""
        if self.paused or not self.room_bytes:
            return 0
        return max(0, self._capacity - self._inside)

    @property
    def room_bytes(self) -> int:
        """After how many bytes a source stops emitting; the item that exceeds them may enter."""
        return max(0, self._capacity_bytes - self._bytes_inside)

    def enter(self, items: int, size: int = 0) -> None:
        """Count in ``items`` of ``size`` bytes in all. What lanes recover may exceed the limits."""
        with self._lock:
            self._inside += items
            self._bytes_inside += size

    def leave(self, items: int, size: int = 0) -> None:
        with self._lock:
            self._inside -= items
            self._bytes_inside -= size
