"""Versions of vendors' items: whole numbers, or times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

from pydantic import Field, ValidatorFunctionWrapHandler, WrapValidator


class TimeVersion(int):
    """A version that was stated as a time, in microseconds since 1970 UTC."""

    @classmethod
    def of(cls, moment: datetime) -> Self:
        """``moment`` has an offset."""
        since = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        return cls((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)

    @property
    def text(self) -> str:
        """As ISO 8601."""
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(self))).isoformat()


def _read_version(value: object, as_number: ValidatorFunctionWrapHandler) -> int:
    """A number, or an ISO 8601 time with an offset, which stays known as a time."""
    if isinstance(value, bool):
        raise ValueError("must be a whole number or an ISO 8601 time, not true or false")
    if isinstance(value, str) and not value.lstrip("+-").isdigit():
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("must be a whole number or an ISO 8601 time") from None
        if moment.tzinfo is None:
            raise ValueError("a time must have a UTC offset")
        try:
            value = TimeVersion.of(moment)
        except OverflowError:
            raise ValueError(
                "the time is out of range: in UTC it must be of the years 1 to 9999"
            ) from None
    number: int = as_number(value)
    return TimeVersion(number) if isinstance(value, TimeVersion) else number


Version = Annotated[int, Field(ge=0, lt=2**63), WrapValidator(_read_version)]
"""Increases with every state of a product. Times are stored as microseconds since 1970 UTC. One
vendor uses either numbers or times."""
