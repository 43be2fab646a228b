"""What a host's response means: the picture, a permanent failure, or a transient one."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from schemas.errors import ImageRefused, PictureUnavailable

REDIRECTS = frozenset({301, 302, 303, 307, 308})

TRANSIENT_STATUSES = frozenset({202, 408, 409, 420, 421, 423, 425, 429, 449, 460, 499})
"""Besides all from 500 on (520 to 530 are Cloudflare's, 999 is a rate limit, too):

    202  Accepted: the picture is being made      408  Request Timeout
    409  Conflict: it is being replaced           420  Enhance Your Calm, a rate limit
    421  Misdirected Request                      423  Locked
    425  Too Early                                429  Too Many Requests
    449  Retry With                               460, 499  a proxy lost its client
"""
NOT_FOUND = frozenset({404, 410})
FORBIDDEN = frozenset({401, 403, 407, 451})

MAX_RETRY_AFTER_SECONDS = 86_400.0
"""A day: by then the feed has been read again, and a mistaken date is forgotten."""

CODINGS = frozenset({"gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress"})
"""Content codings (IANA) that change the bytes. Hosts also send words that are not codings: a
character set, ``none``, ``binary``, or S3's ``aws-chunked``."""

_PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"GIF8", b"BM")


def check_status(url: httpx.URL, response: httpx.Response, now: datetime) -> None:
    """Raise ImageRefused or PictureUnavailable unless ``response`` contains the picture."""
    status = response.status_code
    if status == 200:
        return
    message = f"{url}: the host responded with {status}"
    pause = retry_after(response.headers, now)
    asked_to_wait = pause is not None and status >= 400 and status not in NOT_FOUND
    if status >= 500 or status in TRANSIENT_STATUSES or asked_to_wait:
        raise PictureUnavailable(message, reason="http-status", retry_after_seconds=pause or 0.0)
    if status in NOT_FOUND:
        raise ImageRefused(message, reason="not-found")
    if status in FORBIDDEN:
        raise ImageRefused(message, reason="forbidden")
    raise ImageRefused(message, reason="http-status")


def retry_after(headers: httpx.Headers, now: datetime) -> float | None:
    """Seconds of a Retry-After header (RFC 9110, 10.2.3), at most a day; None without a valid one.

    A date counts from the host's own Date, so that its clock may be wrong; else from ``now``.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        # More digits than a day has: int() would take long on thousands of them.
        seconds = float(text) if len(text) < 10 else MAX_RETRY_AFTER_SECONDS
    else:
        until = _http_date(text)
        if until is None:
            return None
        seconds = (until - (_http_date(headers.get("date", "")) or now)).total_seconds()
    return max(0.0, min(seconds, MAX_RETRY_AFTER_SECONDS))


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text[:40])
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def announced_size(headers: httpx.Headers) -> int | None:
    """Content length according to the headers; None without a valid one."""
    text = headers.get("content-length", "")
    chunked = "transfer-encoding" in headers  # wins over the length (RFC 9112, 6.3)
    return (
        int(text) if text.isascii() and text.isdigit() and len(text) < 19 and not chunked else None
    )


def check_coding(url: httpx.URL, headers: httpx.Headers, content: bytearray) -> None:
    """Raise ImageRefused when ``content`` is encoded: it is never decompressed.

    A host that names a coding without using it is believed by its bytes.
    """
    named = headers.get("content-encoding", "").lower().split(",")
    used = [coding for name in named if (coding := name.strip()) in CODINGS]
    if used and not is_picture(content):
        raise ImageRefused(
            f"{url}: the host used content-encoding {used[0]}, which was not requested",
            reason="content-encoding",
        )


def is_picture(content: bytearray) -> bool:
    """Whether ``content`` begins as pictures do."""
    return content.startswith(_PICTURES) or content[4:8] == b"ftyp"
