"""What the pages say, in each language: one table per language in texts/*.toml."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from babel import Locale

FOLDER = Path(__file__).parent / "texts"


class Texts:
    """The texts of one language, and the names of departments, colours and patterns."""

    def __init__(self, language: str) -> None:
        """Raises FileNotFoundError for a language that has no table."""
        self.language = language
        self._plural = Locale.parse(language).plural_form
        self._table: dict[str, Any] = tomllib.loads(
            (FOLDER / f"{language}.toml").read_text(encoding="utf-8")
        )

    def __call__(self, key: str, **places: object) -> str:
        """The text ``key`` with its places filled; raises KeyError for one that there is not."""
        found = self._table[key]
        if isinstance(found, dict):
            count = places["count"]
            assert isinstance(count, int)
            found = found.get(self._plural(count), found["other"])
        return str(found).format(**places) if places else str(found)

    def name(self, group: str, label: str) -> str | None:
        """The name of ``label`` among e.g. ``colour_name``; None when this language has none."""
        found = self._table[group].get(label)
        return None if found is None else str(found)


@cache
def texts_of(language: str) -> Texts:
    """The texts of ``language``, read once."""
    return Texts(language)
