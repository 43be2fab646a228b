"""A look's time budget, passed from stage to stage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from schemas.errors import DeadlineExceeded


@dataclass(frozen=True, slots=True)
class Budget:
    """Ends at ``deadline``, in seconds of the running event loop's clock."""

    deadline: float

    @classmethod
    def of(cls, seconds: float) -> Budget:
        """A budget that starts now; to be called on the event loop that spends it."""
        return cls(_now() + seconds)

    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.deadline - _now())

    def share(self, fraction: float) -> Budget:
        """A budget of ``fraction`` of the remaining time, which leaves the rest to later stages."""
        return Budget(_now() + self.remaining() * fraction)

    @asynccontextmanager
    async def enforced(self, what: str) -> AsyncIterator[None]:
        """Cancel the body at the deadline and raise DeadlineExceeded, with ``what`` in the message.

        ``reason`` is "deadline".
        """
        try:
            async with asyncio.timeout_at(self.deadline):
                yield
        except TimeoutError:
            raise DeadlineExceeded(
                f"{what} took longer than its budget", reason="deadline"
            ) from None


def _now() -> float:
    return asyncio.get_running_loop().time()
