"""Describe a value from a vendor's data in an error message, in JSON's terms and in few words."""

from __future__ import annotations

_MOST_CHARACTERS = 80
_MOST_DIGITS = 20


def describe(value: object) -> str:
    """At most 80 characters, whatever the value: ``'many'``, ``-3``, ``true``, ``an object``."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        # Printing an integer takes time that grows with the square of its length.
        return str(value) if abs(value) < 10**_MOST_DIGITS else "a very large number"
    if isinstance(value, str):
        shown = repr(value[:_MOST_CHARACTERS])
        return shown if len(shown) <= _MOST_CHARACTERS else f"{shown[: _MOST_CHARACTERS - 3]}..."
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, dict):
        return "an object"
    return "a list" if isinstance(value, list) else "a value of an unsupported type"
