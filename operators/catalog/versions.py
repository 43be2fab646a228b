"""Versions that would block a product for ever."""

from __future__ import annotations

from datetime import datetime, timedelta

from operators.catalog.feeds.times import microseconds
from schemas.errors import InvalidUpdate
from schemas.versions import TimeVersion

MAX_CLOCK_SKEW = timedelta(days=1)
"""How far ahead of ours a vendor's clock may be; time zones mixed up account for 14 hours."""


def check_version(version: int, now: datetime) -> None:
    """Refuse a version that later packets could not exceed for a long time. Raises InvalidUpdate.

    What is stated as a time lies in the future. A number may be a counter, which does not reach
    the nanoseconds since 1970, the largest number that a clock gives.
    """
    latest = now + MAX_CLOCK_SKEW
    if isinstance(version, TimeVersion):
        if version > microseconds(latest):
            raise InvalidUpdate(
                f"version: {version.text} is later than {latest:%Y-%m-%dT%H:%MZ}, the latest that "
                "a clock may be ahead",
                reason="future-version",
            )
    elif version > int(latest.timestamp() * 1e9):
        raise InvalidUpdate(
            f"version: {version} is later than any clock shows now", reason="future-version"
        )
