"""The encoding of a file, and its text; an invalid byte affects only its row."""

from __future__ import annotations

import codecs
import io
import re

from schemas.errors import InvalidFile

_MARKS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

_SAMPLE_BYTES = 4096
_MOST_NULS = 0.1
"""Share of NUL bytes above which a file is no text: UTF-16 of Latin letters has a half."""

UNDECODABLE = "\ufffd"
_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")


def encoding_of(name: str, stream: io.BufferedReader, declared: str | None) -> str:
    """Declared, else by the byte order mark, else UTF-8. Raises InvalidFile for binary content."""
    begin = stream.peek(_SAMPLE_BYTES)[:_SAMPLE_BYTES]
    for mark, encoding in _MARKS:
        if begin.startswith(mark):
            return encoding
    if declared is not None:
        return declared
    if begin.count(0) > _MOST_NULS * len(begin):
        raise InvalidFile(
            f"{name}: this is no text in UTF-8; if it is UTF-16, set feed.encoding",
            reason="not-utf-8",
        )
    return "utf-8"


def decoded(stream: io.BufferedReader, encoding: str) -> io.TextIOWrapper:
    """``stream`` as text with any kind of line end; undecodable bytes are marked."""
    return io.TextIOWrapper(stream, encoding=encoding, errors=_errors(encoding), newline=None)


def _errors(encoding: str) -> str:
    # Surrogates distinguish bad bytes from a U+FFFD that the vendor wrote; only in UTF-8.
    return "surrogateescape" if encoding.startswith("utf-8") else "replace"


def is_undecodable(text: str, encoding: str) -> bool:
    """Whether ``text`` has bytes that are invalid in ``encoding``."""
    if encoding.startswith("utf-8"):
        return not text.isascii() and _ESCAPED_BYTE.search(text) is not None
    return UNDECODABLE in text


def mended(text: str) -> str:
    """``text`` with U+FFFD for lone surrogates, so that it can be written as UTF-8."""
    return text if text.isascii() else _SURROGATE.sub(UNDECODABLE, text)
