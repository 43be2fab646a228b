"""Try a mapping on a file: how its first rows are read, and which paths are wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from operators.catalog.feeds.columns import folded, names_in
from operators.catalog.feeds.read import (
    ReadPacket,
    RejectedRow,
    SkippedRow,
    read_feed,
)
from operators.catalog.feeds.source import FeedSource
from operators.catalog.map_packet import map_packet
from operators.catalog.mapping import Mapping
from operators.catalog.path_faults import closest, text_fault
from operators.catalog.paths import FieldPath
from schemas.catalog import PacketKind, ProductUpdate

MAX_ROWS = 10_000
"""Rows that are read: enough for shares to a percent, in seconds."""

SHOWN_ROWS = 3

_MAX_NAMES = 5_000
"""Names that are kept of files whose rows differ."""

_UNTOLD: tuple[object, ...] = (None, "", ())


@dataclass(slots=True)
class MappingCheck:
    """How a mapping reads a file."""

    read: int = 0
    sent: int = 0
    deleted: int = 0
    """Of the rows sent: deletions, which have no fields."""
    skipped: int = 0
    first: list[tuple[int, str, ProductUpdate]] = field(default_factory=list)
    """Line, key and update of the first rows."""
    covered: Counter[str] = field(default_factory=Counter)
    """Field -> rows that have a value for it."""
    notes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(field, reason) -> rows whose field was cut, emptied or read leniently."""
    refused: Counter[str] = field(default_factory=Counter)
    first_refused: list[RejectedRow] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """What is probably wrong with the mapping."""
    unused: list[str] = field(default_factory=list)
    """Columns that no path reads."""

    @property
    def failed(self) -> bool:
        """Whether a row was refused, or a path is probably wrong."""
        return bool(self.faults or self.refused or not self.read)


def check_mapping(source: FeedSource, mapping: Mapping) -> MappingCheck:
    """Read the first rows of ``source``. Raises InvalidFile and Misconfigured like `read_feed`."""
    check = MappingCheck()
    names: dict[str, None] = {"variant": None} if mapping.variant_list else {}
    for row in islice(read_feed(source, mapping, version=0), MAX_ROWS):
        check.read += 1
        _collect(row.columns or (row.row if isinstance(row, RejectedRow) else row.item), names)
        if isinstance(row, SkippedRow):
            check.skipped += 1
        elif isinstance(row, RejectedRow):
            check.refused[row.reason] += 1
            if len(check.first_refused) < SHOWN_ROWS:
                check.first_refused.append(row)
        else:
            check.sent += 1
            _check_row(row, mapping, check)
    _find_faults(mapping, names, check)
    return check


def _check_row(row: ReadPacket, mapping: Mapping, check: MappingCheck) -> None:
    if row.packet.kind is PacketKind.DELETE:
        check.deleted += 1
        return
    update = map_packet(row.packet, mapping).update
    check.notes.update((note.field, note.reason) for note in row.notes)
    check.covered.update(name for name in mapping.fields if getattr(update, name) not in _UNTOLD)
    if len(check.first) < SHOWN_ROWS:
        check.first.append((row.line, row.packet.key, update))


def _collect(value: Any, names: dict[str, None]) -> None:
    """All names in a row, at any depth."""
    if len(names) >= _MAX_NAMES:
        return
    if isinstance(value, dict):
        names.update(dict.fromkeys(value))
        for inner in value.values():
            if isinstance(inner, dict | list):
                _collect(inner, names)
    elif isinstance(value, tuple):
        names.update(dict.fromkeys(name for name in value if name))
    elif isinstance(value, list):
        for inner in value:
            _collect(inner, names)


def _find_faults(mapping: Mapping, names: dict[str, None], check: MappingCheck) -> None:
    paths = list(_named_paths(mapping))
    used = {folded(name) for _, path in paths for name in names_in(path)}
    check.unused = [name for name in names if folded(name) not in used]
    for where, path in paths:
        if fault := text_fault(path.compiled.parsed, names):
            check.faults.append(f"{where}: {fault}")
        if check.covered[where]:
            continue
        for name in names_in(path):
            near = closest(name, check.unused)
            if near is not None and folded(name) not in map(folded, names):
                check.faults.append(f"{where}: no row has {name!r}; the file has {near!r}")


def _named_paths(mapping: Mapping) -> Iterator[tuple[str, FieldPath]]:
    for name, rule in mapping.fields.items():
        yield from ((name, path) for path in rule.paths)
    if mapping.feed_id is not None:
        yield "feed.id", mapping.feed_id
    if mapping.feed_version is not None:
        yield "feed.version", mapping.feed_version
    if mapping.feed_deleted is not None:
        yield "feed.deleted.path", mapping.feed_deleted
