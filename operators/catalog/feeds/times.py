"""Times as vendors write them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

from operators.catalog.describe import describe
from schemas.errors import InvalidUpdate
from schemas.versions import TimeVersion

UNIX_SECONDS, UNIX_MILLISECONDS = "unix", "unix_ms"
"""Values of feed.date_format for numeric times."""

_LONGEST = 200
_NUMBER = re.compile(r"[+-]?\d{1,18}(?:\.\d{1,12})?")
# The e-mail parser accepts much that is not a time, and ignores unknown zones.
_RFC_2822 = re.compile(
    r"(?:[A-Za-z]{3},?\s+)?\d{1,2}\s+[A-Za-z]{3}\s+\d{4}\s+\d{2}:\d{2}(?::\d{2})?"
    r"(?:\s+(?:[+-]\d{4}|GMT|UTC?|[ECMP][SD]T))?"
)
# Python's parser takes any letter between date and time: two dates with a slash for one time.
_ISO_8601 = re.compile(
    r"\d{4}-(?:\d\d-\d\d|W\d\d(?:-\d)?)(?:[Tt ]|$)|(?:19|2[01])\d{6}(?:[Tt]|$)", re.ASCII
)
_FIRST_MILLISECONDS = 10**11
"""Seconds until the year 5138, milliseconds since 1973."""
_BASIC_DATE = re.compile(r"(?:19|2[01])\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
"""20261101: as Unix seconds it would be a day of 1970."""
_NEVER = re.compile(r"0000-00-00(?:[ T]00:00(?::00)?)?")
"""MySQL's null time."""
_FIRST_YEAR, _LAST_YEAR = 1, 9999
"""How databases write an open begin or end: 0001-01-01, 9999-12-31."""


def parse_time(value: object, date_format: str | None, time_zone: str | None) -> datetime:
    """The moment in ``value``, in UTC: in ``date_format`` where one is declared, ISO 8601 or
    RFC 2822. A time without an offset is of ``time_zone``.

    Raises InvalidUpdate, which names the setting that is missing.
    """
    return _in_utc(_read(value, date_format), time_zone, value)


def states_time(value: object, date_format: str) -> bool:
    """Whether ``value`` is written in ``date_format``: not a number that counts something else."""
    if date_format in (UNIX_SECONDS, UNIX_MILLISECONDS):
        return _is_number(value)
    try:
        datetime.strptime(str(value)[:_LONGEST].strip(), date_format)
    except ValueError:
        return False
    return True


def parse_sale_date(
    value: object, date_format: str | None, time_zone: str | None, *, ends: bool
) -> datetime | None:
    """Begin, or with ``ends`` the end, of a sale: a time, a date or an interval ``begin/end``.

    A number is Unix seconds or milliseconds. A sale that ends on a date without a time lasts
    through that day. None: open on this side, also as 9999-12-31. Raises InvalidUpdate.
    """
    if isinstance(value, str):
        half = _half(value.strip(), date_format, last=ends)
        if half in ("", "..") or _NEVER.fullmatch(half):
            return None
        value = half
    if date_format is None and _BASIC_DATE.fullmatch(str(value)):
        value = str(value)
    elif date_format is None and _is_number(value):
        date_format = UNIX_SECONDS
        if abs(float(str(value))) >= _FIRST_MILLISECONDS:
            date_format = UNIX_MILLISECONDS
    moment = _read(value, date_format)
    if moment.year in (_FIRST_YEAR, _LAST_YEAR):
        return None
    if ends and isinstance(value, str) and _is_date_only(value.strip(), date_format):
        moment += timedelta(days=1)
    return _in_utc(moment, time_zone, value)


def _half(text: str, date_format: str | None, *, last: bool) -> str:
    """Begin or end of an interval; a text that is no interval counts as both."""
    if len(text) > _LONGEST or "/" not in text or _reads(text, date_format):
        return text
    for slash in [place for place, letter in enumerate(text) if letter == "/"][:20]:
        halves = text[:slash].strip(), text[slash + 1 :].strip()
        if all(half in ("", "..") or _reads(half, date_format) for half in halves):
            return halves[last]
    return text


def _reads(text: str, date_format: str | None) -> bool:
    try:
        _read(text, date_format)
    except InvalidUpdate:
        return False
    return True


def _read(value: object, date_format: str | None) -> datetime:
    if date_format in (UNIX_SECONDS, UNIX_MILLISECONDS) and _is_number(value):
        return _unix(value, milliseconds=date_format == UNIX_MILLISECONDS)
    text = str(value).strip() if isinstance(value, str | int) else ""
    if isinstance(value, bool) or not text or len(text) > _LONGEST:
        raise _invalid(f"must be a time, is {describe(value)}")
    # Vendors mix notations in one column.
    if date_format is not None and states_time(text, date_format):
        return datetime.strptime(text, date_format)
    if _ISO_8601.match(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
    if _RFC_2822.fullmatch(text):
        try:
            return parsedate_to_datetime(text)
        except (ValueError, TypeError):
            pass
    setting = "set feed.date_format" if date_format is None else f"nor is it {date_format!r}"
    raise _invalid(f"{describe(text)} is no time in ISO 8601; {setting}")


def _is_number(value: object) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, str):
        return _NUMBER.fullmatch(value.strip()) is not None
    return isinstance(value, int | float) and _NUMBER.fullmatch(str(value)) is not None


def _unix(value: object, *, milliseconds: bool) -> datetime:
    whole, _, fraction = str(value).strip().lstrip("+").partition(".")
    digits = 3 if milliseconds else 6
    microseconds = int(f"{whole}{fraction[:digits]:0<{digits}}")
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    except OverflowError:
        raise _invalid(f"{describe(value)} is no time") from None


def _is_date_only(text: str, date_format: str | None) -> bool:
    if date_format in (UNIX_SECONDS, UNIX_MILLISECONDS) and _is_number(text):
        return False
    if date_format is not None and states_time(text, date_format):
        return not re.search("%[HIMSfcXTRrp]", date_format)
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _in_utc(moment: datetime, time_zone: str | None, value: object) -> datetime:
    if moment.tzinfo is None:
        if time_zone is None:
            raise _invalid(f"{describe(value)} states no offset from UTC; set feed.time_zone")
        moment = moment.replace(tzinfo=ZoneInfo(time_zone))
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise _invalid(f"{describe(value)} is no time") from None


def microseconds(moment: datetime) -> TimeVersion:
    """Since 1970 UTC: the version of what was true then."""
    return TimeVersion.of(moment)


def _invalid(problem: str) -> InvalidUpdate:
    return InvalidUpdate(problem, reason="invalid-time")
