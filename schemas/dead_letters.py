"""A dead letter: the record's bytes unchanged, and in its headers what went wrong and where."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from pydantic import Field

from schemas.base import Part, UtcTime
from schemas.errors import LookSyncError
from schemas.records import Record

HEADER_PREFIX = "dlq-"


class DeadLetter(Part):
    """The headers of a dead letter (each as ``dlq-<field>``, values as text)."""

    error_class: str = Field(description="Class in schemas.errors.")
    reason: str = Field(description="Short stable code, e.g. too-large.")
    stage: str = Field(description="Where: parse, map, image, embed, store, ...")
    message: str = Field(description="For people; at most 2,000 characters.")
    topic: str
    partition: int
    offset: int
    attempts: int = Field(ge=1)
    first_time: UtcTime
    last_time: UtcTime

    @classmethod
    def of(
        cls,
        record: Record,
        error: BaseException,
        *,
        stage: str,
        attempts: int,
        first: datetime,
        last: datetime,
    ) -> Self:
        """The letter for ``record`` (which has a position) that failed with ``error``."""
        if record.position is None:
            raise ValueError("a dead letter is of a record that was read from a topic")
        reason = error.reason if isinstance(error, LookSyncError) else "unexpected"
        return cls(
            error_class=type(error).__name__,
            reason=reason,
            stage=stage,
            message=str(error)[:2000] or type(error).__name__,
            topic=record.position.topic,
            partition=record.position.partition,
            offset=record.position.offset,
            attempts=attempts,
            first_time=first,
            last_time=last,
        )

    def to_record(self, record: Record) -> Record:
        """``record`` with this letter in its headers; key, value and own headers unchanged."""
        own = {
            f"{HEADER_PREFIX}{name}": value if isinstance(value, str) else str(value)
            for name, value in self.model_dump(mode="json").items()
        }
        return Record(record.key, record.value, {**record.headers, **own})

    @classmethod
    def from_record(cls, record: Record) -> Self:
        """The letter read back from a record of a dead-letter topic."""
        return cls.model_validate(
            {
                name.removeprefix(HEADER_PREFIX): value
                for name, value in record.headers.items()
                if name.startswith(HEADER_PREFIX)
            }
        )
