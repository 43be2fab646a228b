"""A mapping's columns, matched to the spelling in the file's header."""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from operators.catalog.mapping import Mapping
from operators.catalog.paths import FieldPath


@dataclass(frozen=True, slots=True)
class Columns:
    """Names in the mapping's paths, by their folded spelling."""

    names: frozenset[str]
    by_folded: MappingType[str, str]

    @classmethod
    def of(cls, mapping: Mapping) -> Columns:
        """All names in the paths of ``mapping``."""
        names = frozenset(name for path in mapping.paths() for name in names_in(path))
        fill_down = mapping.feed.fill_down if mapping.feed else None
        if fill_down is not None:
            names |= {*fill_down.group, *fill_down.columns, *fill_down.collect}
        return cls(names, {folded(name): name for name in sorted(names)})

    def renamed(self, row: dict[str, Any]) -> dict[str, Any]:
        """``row`` with `Image Link` as `image_link` when the mapping calls it so: Merchant Center
        takes both. A column that is there under the mapping's own spelling stays."""
        others = row.keys() - self.names
        called = {
            name: known
            for name in others
            if (known := self.by_folded.get(folded(name))) is not None and known not in row
        }
        return {called.get(name, name): value for name, value in row.items()} if called else row


@lru_cache(4096)
def folded(name: str) -> str:
    """``name`` without what differs between spellings of one column."""
    return re.sub(r"[\s_-]+", "_", name.strip()).casefold()


def names_in(path: FieldPath) -> list[str]:
    """All names in ``path``."""
    found: list[str] = []
    waiting = [path.compiled.parsed]
    while waiting:
        node = waiting.pop()
        if node["type"] == "field":
            found.append(node["value"])
        waiting.extend(child for child in node["children"] if isinstance(child, dict))
    return found
