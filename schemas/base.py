"""What all events share: a schema version, unknown fields kept, times in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints


def _to_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


UtcTime = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""A time with an offset, held in UTC. A time without an offset is refused."""

Market = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2 code of a sales market: IN, US, JP."""

Key = Annotated[str, StringConstraints(min_length=1, max_length=400)]


class Event(BaseModel):
    """Base of everything that travels on a topic.

    Unknown fields are kept and written back: a newer producer never breaks an older consumer, and
    a field that passes through is not lost.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    schema_version: Literal[1] = Field(1, description="Version of this record's schema.")


class Part(BaseModel):
    """Base of a piece inside an event or record; unknown fields are dropped."""

    model_config = ConfigDict(extra="ignore", frozen=True)
