"""The progress of a bulk job, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from operators.streaming.engine.keyed_calls import Wait


@dataclass(frozen=True, slots=True)
class Status:
    """Progress of a job."""

    rows: int
    """Done, over all starts."""
    expected: int | None
    """Rows in all shards, by those read so far; None before the first."""
    embeddings: int
    waits: Sequence[Wait]
    """For unavailable services."""
