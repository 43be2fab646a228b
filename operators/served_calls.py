"""Tells a server that is away from one that fails a single item: by whether it answers others."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from schemas.errors import LookSyncError, Misconfigured, MustStop, Unavailable

Marked = TypeVar("Marked", bound=Exception)


class ServedCalls:
    """Counts the answered calls of one server by kind: on a full disk reads succeed, writes do not.

    Use it from one event loop.
    """

    def __init__(self) -> None:
        self._served: Counter[str] = Counter()

    def count(self, kind: str, calls: int = 1) -> None:
        """Note that ``calls`` of this kind have been answered."""
        self._served[kind] += calls

    @contextmanager
    def call(self, kind: str) -> Iterator[None]:
        """Count a call when it succeeds; note the count in an error of the server."""
        try:
            yield
        except MustStop:
            raise
        except (Unavailable, Misconfigured) as error:
            raise self.mark(error, kind) from error
        self.count(kind)

    def mark(self, error: Marked, kind: str) -> Marked:
        """``error`` of a call of this kind, with the number of those that have been answered."""
        # A copy: callers of one batch get the same error, and their kinds may differ.
        own = copy.copy(error)
        if isinstance(own, LookSyncError):
            own.served = kind, self._served[kind]
        return own
