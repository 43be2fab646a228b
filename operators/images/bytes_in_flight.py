"""The memory of encoded pictures, from their download until they are decoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from schemas.errors import PictureUnavailable


class BytesInFlight:
    """Counts the bytes of all pictures under way. Use from one event loop.

    A picture up to its fair share (the limit, divided by the pictures at once) is never in the
    way of others; one above it may grow while the limit lasts. So at most twice the limit is held,
    and no read waits for another: two half-read pictures that wait for each other's memory would
    wait for ever.
    """

    def __init__(self, limit: int, pictures: int) -> None:
        self._limit = limit
        self._fair_share = limit // pictures
        self._held = 0

    @property
    def held(self) -> int:
        """Bytes held now."""
        return self._held

    @contextmanager
    def picture(self) -> Iterator[HeldBytes]:
        """Hold the bytes of one picture until the body ends."""
        picture = HeldBytes(self)
        try:
            yield picture
        finally:
            self._held -= picture.size

    def _hold(self, more: int, size: int) -> None:
        if size > self._fair_share and self._held + more > self._limit:
            raise PictureUnavailable(
                f"a picture of more than {self._fair_share:,} bytes while others hold "
                f"{self._held:,} of images.max_bytes_in_flight = {self._limit:,}",
                reason="memory",
            )
        self._held += more


class HeldBytes:
    """The bytes of one picture."""

    def __init__(self, budget: BytesInFlight) -> None:
        self._budget = budget
        self.size = 0

    def add(self, more: int) -> None:
        """Raises PictureUnavailable when there is no memory for ``more`` bytes."""
        self._budget._hold(more, self.size + more)
        self.size += more
