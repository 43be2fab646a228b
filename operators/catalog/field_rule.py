"""How one field of a mapping is read: its paths, and what is done to what stands there."""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from operators.catalog.paths import FieldPath
from operators.catalog.texts import is_null
from operators.vocabulary.wordlist import normalise

FilledText = Annotated[str, Field(min_length=1)]
Value = str | int | bool
"""A value in a translation table."""

_LONGEST_WORD = 1000
"""Characters of a text that may be in a table."""
_LONGEST_NUMBER = 10**30


def _separates(text: str) -> str:
    try:
        empty = re.compile(_pattern_of(text)).match("")
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from None
    if empty:
        raise ValueError(f"{text!r} separates everything; write one letter or escape it: \\|")
    return text


def _pattern_of(split: str) -> str:
    return re.escape(split) if len(split) == 1 else split


class FieldRule(BaseModel):
    """A field's entry in the mapping's [fields] table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: tuple[FilledText, ...] = Field(min_length=1)
    table: str | None = None
    split: Annotated[str, AfterValidator(_separates)] | None = None
    """Between several values of one text: one letter, or a regular expression."""
    prefix: str | None = None
    """Before a relative URL."""
    null: tuple[str, ...] = ()
    """Words for "no value", in addition to the usual ones (N/A, -, null, none, nan)."""

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, value: object) -> object:
        """The short forms ``"a.b"`` and ``["a.b", "c"]`` as ``{path = ...}``."""
        table = value if isinstance(value, dict) else {"path": value}
        paths = table.get("path")
        return {**table, "path": [paths] if isinstance(paths, str) else paths}

    @property
    def separator(self) -> re.Pattern[str] | None:
        """``split``, compiled."""
        return re.compile(_pattern_of(self.split)) if self.split is not None else None


@dataclass(frozen=True, slots=True, eq=False)
class MappedField:
    """The compiled rule of one field."""

    paths: tuple[FieldPath, ...]
    table: MappingType[str, Value] | None
    split: re.Pattern[str] | None
    prefix: str | None
    null: frozenset[str]

    def says_nothing(self, value: object) -> bool:
        """Whether ``value`` is empty, a null word, or by the table no value."""
        known = self.translate(value)
        if known is not value or not isinstance(value, str):
            return known in (None, "", [])
        return is_null(value, self.null)

    def translate(self, value: object) -> object:
        """Translate ``value`` by the table; a value that is not in the table is returned as is."""
        if self.table is None:
            return value
        if isinstance(value, int | float):
            # Python refuses to print numbers of thousands of digits.
            value_text = str(value) if abs(value) < _LONGEST_NUMBER else ""
        elif isinstance(value, str) and len(value) <= _LONGEST_WORD:
            value_text = value
        else:
            return value
        return self.table.get(normalise(value_text), value)
