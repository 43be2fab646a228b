"""What every section of the settings is made of."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BatchSettings(Section):
    max_size: int = Field(32, ge=1)
    max_wait_ms: float = Field(3.0, ge=0)
