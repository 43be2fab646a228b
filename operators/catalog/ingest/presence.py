"""Mapped fields without a value in any row, the only sign of a missing column."""

from __future__ import annotations

from typing import Any

from jmespath.exceptions import JMESPathError

from operators.catalog.mapping import Mapping

_NOTHING: tuple[object, ...] = (None, "", [], {})


class FieldPresence:
    """Finds mapped fields without any value; cheap once all have had one."""

    def __init__(self, mapping: Mapping) -> None:
        self._missing = {name: field.paths for name, field in mapping.fields.items()}

    @property
    def missing(self) -> tuple[str, ...]:
        """Mapped fields without a value so far."""
        return tuple(self._missing)

    def note(self, item: dict[str, Any]) -> None:
        """Note the fields that have a value in ``item``."""
        for name in [name for name in self._missing if self._has(name, item)]:
            del self._missing[name]

    def _has(self, name: str, item: dict[str, Any]) -> bool:
        for path in self._missing[name]:
            try:
                if path.find(item) not in _NOTHING:
                    return True
            except JMESPathError:
                return True  # there is a value, of an unexpected type
        return False
