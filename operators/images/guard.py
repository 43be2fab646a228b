"""Checks which URLs may be fetched, before any connection is made."""

from __future__ import annotations

import httpx

from schemas.errors import ImageRefused


def check_url(url: str, base: httpx.URL | None = None) -> httpx.URL:
    """Parse ``url``, relative to ``base`` if given.

    Raises ImageRefused unless it is an http or https URL with a host and without credentials.
    """
    try:
        parsed = httpx.URL(url) if base is None else base.join(url)
        host = parsed.host  # decoding fails on an invalid name that begins with xn--
    except (httpx.InvalidURL, ValueError) as error:
        # What follows the colon is the part in question, which may be half a password.
        problem = str(error).partition(": ")[0]
        raise ImageRefused(f"not a URL: {problem}", reason="bad-url") from None
    if parsed.scheme not in ("http", "https"):
        raise ImageRefused(
            f"URL scheme {parsed.scheme!r} is not accepted; use http, https or file",
            reason="scheme",
        )
    if not host or "%" in host or not 0 <= (parsed.port or 0) < 65536:
        raise ImageRefused("the URL has no valid host and port", reason="bad-url")
    if parsed.userinfo:
        raise ImageRefused("the URL contains credentials", reason="credentials")
    return parsed


def check_size(size: int, max_bytes: int) -> None:
    """Raise ImageRefused if ``size`` (bytes) exceeds ``max_bytes``."""
    if size > max_bytes:
        raise ImageRefused(f"the picture is larger than {max_bytes:,} bytes", reason="too-large")
