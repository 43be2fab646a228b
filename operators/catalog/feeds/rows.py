"""What the readers of every format yield: rows and unreadable rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MAX_ROW_BYTES = 4 * 2**20
"""A longer row is refused, which bounds memory."""

MAX_DEPTH = 32
"""Nesting of lists and objects. Vendors' payloads have 3 to 6 levels; validators and JSON writers
give up at about 200."""


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of a separated file, in order; read before any row. "" where one has no name."""

    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a file as a payload."""

    line: int
    """Where it begins: line of the file, from 1 (Parquet and JSON lists: number of the row)."""
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be read."""

    line: int
    reason: str
    """Short stable code."""
    message: str
    text: str = ""
    """The row's text in the file, if it is text, to be corrected and ingested again."""
