"""Notes on a vendor's values that were cut, emptied or read leniently."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Note:
    """A field that was cut, emptied or read leniently."""

    field: str
    """Of ProductUpdate."""
    reason: str
    """Short stable code."""
