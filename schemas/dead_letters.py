"""A dead letter: the failed record, with the error and its place in headers."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from pydantic import Field

from schemas.base import Part, UtcTime, Whole
from schemas.errors import LookSyncError
from schemas.records import Record

HEADER_PREFIX = "dlq-"
LONGEST_MESSAGE = 2_000
"""Characters."""


class DeadLetter(Part):
    """The headers of a dead letter (each as ``dlq-<field>``, values as text)."""

    error_class: str = Field(description="Class in schemas.errors.")
    reason: str = Field(description="Short stable code, e.g. too-large.")
    stage: str = Field(description="Where: parse, map, image, embed, store, ...")
    message: str = Field(description="Error message; at most 2,000 characters.")
    topic: str
    partition: Whole
    offset: Whole
    attempts: Whole = Field(ge=1)
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
        """The letter for ``record``, which failed with ``error``.

        Raises ValueError for a record without a position.
        """
        if record.position is None:
            raise ValueError("a dead letter needs a record that was read from a topic")
        reason = error.reason if isinstance(error, LookSyncError) else "unexpected"
        return cls(
            error_class=type(error).__name__,
            reason=_utf8(reason),
            stage=stage,
            message=_utf8(str(error)[:LONGEST_MESSAGE]) or "no message",
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
        """The letter in a record of a dead-letter topic. Raises ValidationError without one."""
        return cls.model_validate(
            {
                name.removeprefix(HEADER_PREFIX): value
                for name, value in record.headers.items()
                if name.startswith(HEADER_PREFIX)
            }
        )


def _utf8(text: str) -> str:
    """``text`` without lone surrogates, which an error may quote from a record: as escapes."""
    return text.encode(errors="backslashreplace").decode()
