"""A look's time budget, handed down the stages."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from schemas.errors import DeadlineExceeded


@dataclass(frozen=True, slots=True)
class Budget:
    """Ends at ``deadline``, in seconds of ``time.monotonic()``."""

    deadline: float

    @classmethod
    def of(cls, seconds: float) -> Budget:
        """A budget that starts now."""
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.deadline - time.monotonic())

    def share(self, fraction: float) -> Budget:
        """A budget of at most ``fraction`` of what remains, so that later stages get their turn."""
        return Budget(time.monotonic() + self.remaining() * fraction)

    @asynccontextmanager
    async def enforced(self, what: str) -> AsyncIterator[None]:
        """Cancel the body at the deadline and raise :class:`DeadlineExceeded` naming ``what``."""
        try:
            async with asyncio.timeout(self.remaining()):
                yield
        except TimeoutError:
            raise DeadlineExceeded(
                f"{what} took longer than its budget", reason="deadline"
            ) from None
