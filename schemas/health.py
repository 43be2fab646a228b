"""The health of a flow process, as JSON over HTTP."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class _Report(BaseModel):
    model_config = ConfigDict(frozen=True)


class PartAway(_Report):
    """An unavailable service that the flow waits for."""

    part: str
    """The reason in its errors (redis, weaviate, thumbnails, ...), or the name of a topic."""
    since: datetime
    seconds: float
    waiting: int
    """Items that wait for it; 0 when the engine itself does."""
    why: str
    """The latest error."""


class Lag(_Report):
    """The unread data of one partition."""

    topic: str
    partition: str
    value: float
    """In the unit of its metric: bytes (files) or records (Kafka)."""


class FlowHealth(_Report):
    """The state of a flow process; ages are in seconds, None before the first event."""

    flow: str
    started: bool
    """Whether the parts are open, the models loaded and the flow built."""
    stopping: bool
    alive: bool
    """Whether the engine and the event loop make progress."""
    ready: bool
    """Whether the engine reads its source, is alive and not stopping, and all services answer."""
    away: tuple[PartAway, ...]
    degraded: tuple[str, ...]
    """Parts that fail every call and that the flow does without (vlm); it stays ready."""
    paused: bool
    """By `looksync flow pause`; it stays ready."""
    in_flight: int
    """Items that were read and whose outcome has not been emitted."""
    epoch_age: float | None
    """Since the source's last snapshot."""
    source_age: float | None
    """Since the engine last asked the source for records."""
    loop_age: float | None
    """Since the event loop last ran."""
    lag: tuple[Lag, ...]
