"""URLs as shops write them: protocol-relative, escaped, with spaces, several in one cell."""

from __future__ import annotations

import re
from collections.abc import Iterator

from schemas.errors import InvalidUpdate

LONGEST_URL = 4000
_CLEAN = re.compile(r"https?://[\w!#$%()*+./:=?@~-]{1,3900}", re.ASCII)
"""One URL that needs no repair, as nearly all are."""
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_NO_ADDRESS = re.compile(r"(?:data|blob|javascript|vbscript|mailto|tel|about):", re.IGNORECASE)
_SEPARATOR = re.compile(r"(?:[\"']?\s*[,;|]\s*[\"']?|\s+)(?=[A-Za-z][A-Za-z0-9+.-]*://|//[\w-]+\.)")
"""Between two URLs of a cell. A comma alone may belong to a URL (w_400,h_500)."""
_PRINTED_LIST = "[]\"'"
"""Around the URLs of a list that was printed into one cell: ['https://...', 'https://...']"""
_AMPERSAND = re.compile(r"&(?:amp|#38|#x26);", re.IGNORECASE)
_SPACE = re.compile(r"\s")
_NOT_IN_URLS = re.compile("[\x00-\x1f\x7f\u200b-\u200f\u2060\ufeff\ud800-\udfff]")


def split_urls(text: str) -> Iterator[str]:
    """The URLs in one cell, if they can be separated without the mapping's ``split``."""
    return iter((text,) if _CLEAN.fullmatch(text) else _SEPARATOR.split(text.strip()))


def clean_url(text: str, prefix: str | None) -> str:
    """``text`` as an absolute URL; empty when there is none.

    ``prefix``: what the mapping puts before a relative URL. Raises InvalidUpdate when it is
    relative all the same, or too long.
    """
    if _CLEAN.fullmatch(text):
        return text
    url = _AMPERSAND.sub("&", text) if "&" in text else text
    if not url.isprintable():
        url = _NOT_IN_URLS.sub("", url.replace("\n", " ").replace("\t", " "))
    url = url.strip().rstrip(",;|").strip(_PRINTED_LIST).lstrip(",;|").strip()
    if not url:
        return ""
    if url.startswith("//"):
        url = f"https:{url}"
    elif _NO_ADDRESS.match(url):
        raise InvalidUpdate(f"{url[:40]!r} is no address", reason="wrong-scheme")
    elif not _SCHEME.match(url):
        if prefix is None:
            raise InvalidUpdate(
                "a URL without https:// in front; set prefix for this field", reason="relative-url"
            )
        url = prefix + (url.lstrip("/") if prefix.endswith("/") else url)
    url = _SPACE.sub("%20", url)
    if len(url) > LONGEST_URL:
        raise InvalidUpdate(f"a URL has more than {LONGEST_URL} characters", reason="too-long")
    return url
