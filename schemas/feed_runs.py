"""What `looksync ingest` did, for the operator page."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from schemas.base import UtcTime


class FeedRun(BaseModel):
    """One run over a vendor's files."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    vendor: str
    at: UtcTime
    """When it ended."""
    read: int
    """Rows."""
    sent: int
    """Packets."""
    refused: dict[str, int]
    """Reason -> rows."""
    failures: tuple[str, ...]
    """Why it needs attention; none: it went well."""
