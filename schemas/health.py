"""What a flow process says of its own health, in JSON over HTTP."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True)


class PartAway(_Told):
    """A part that the flow waits for."""

    part: str
    """The reason of its errors (redis, weaviate, thumbnails, ...), or the name of a topic."""
    since: datetime
    seconds: float
    waiting: int
    """Items that wait for it; 0 when the engine itself does."""
    why: str
    """The latest error."""


class Lag(_Told):
    """What of one partition has not been read."""

    topic: str
    partition: str
    value: float
    """In the unit of the metric that it is read from."""


class FlowHealth(_Told):
    """How a flow process is at this moment; ages are in seconds, None before the first time."""

    flow: str
    started: bool
    """Parts opened, models loaded, flow built."""
    stopping: bool
    alive: bool
    """The engine and the event loop both move."""
    ready: bool
    """The engine has asked the source, is alive, not stopping, and no part is away."""
    away: tuple[PartAway, ...]
    in_flight: int
    """Items read whose outcome has not been emitted."""
    epoch_age: float | None
    """Since the source was last asked for its position for a snapshot."""
    source_age: float | None
    """Since the engine last asked the source for records."""
    loop_age: float | None
    """Since the event loop last answered."""
    lag: tuple[Lag, ...]
