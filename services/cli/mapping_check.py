"""``looksync mapping check``: the result of a mapping on a file, as tables."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from operators.catalog.feeds.source import FeedSource
from operators.catalog.ingest.check import MAX_ROWS, MappingCheck, check_mapping
from operators.catalog.mapping import Mapping
from schemas.money import Money
from schemas.settings import Settings
from services.cli.console import as_text
from services.cli.ingest import say
from services.cli.vendor import choose_mapping

_LONGEST = 100
"""Characters of a text or path that are shown."""
_UNUSED = 100
"""Columns without a path that are named."""
_PICTURES = 3
"""URLs of an item's pictures that are shown."""


def try_mapping(file: str, vendor: str, settings: Settings, console: Console) -> int:
    """Print what the mapping makes of ``file``; 0 when every row is taken and no path is wrong."""
    mapping = choose_mapping(vendor, settings).mapping
    check = check_mapping(FeedSource.of(file), mapping)
    _print_rows(check, console)
    _print_fields(check, mapping, console)
    skipped = f", {check.skipped:,} no products by feed.skip" if check.skipped else ""
    first = "the first " if check.read == MAX_ROWS else ""
    say(console, f"{first}{check.read:,} rows read, {check.sent:,} taken{skipped}")
    for (name, reason), rows in check.notes.most_common():
        say(console, f"  {name}: {reason} in {rows:,} rows")
    for reason, rows in check.refused.most_common():
        say(console, f"  refused, {reason}: {rows:,}")
    for row in check.first_refused:
        say(console, f"  line {row.line}: {row.message}")
    if check.unused:
        more = f" and {len(check.unused) - _UNUSED:,} more" if len(check.unused) > _UNUSED else ""
        say(console, f"read by no path: {' | '.join(check.unused[:_UNUSED])}{more}")
    for fault in check.faults:
        say(console, f"probably wrong: {fault}")
    return 1 if check.failed else 0


def _print_rows(check: MappingCheck, console: Console) -> None:
    if not check.first:
        return
    table = Table("", highlight=False)
    for line, _, _ in check.first:
        # An address cut at the width of a column shows nothing.
        table.add_column(f"line {line}", overflow="fold")
    table.add_row("key", *(as_text(key) for _, key, _ in check.first))
    for name in type(check.first[0][2]).model_fields:
        values = [getattr(update, name) for _, _, update in check.first]
        if any(value not in (None, "", ()) for value in values):
            table.add_row(name, *(as_text(_shown(name, value)) for value in values))
    console.print(table)


def _print_fields(check: MappingCheck, mapping: Mapping, console: Console) -> None:
    items = check.sent - check.deleted
    table = Table("field", f"of {items:,} rows taken", highlight=False)
    table.add_column("read from", overflow="fold")
    for name, rule in mapping.fields.items():
        rows = check.covered[name]
        share = f"{rows:,} ({rows / items:.1%})" if items else ""
        paths = "\n".join(_cut(path.text) for path in rule.paths)
        table.add_row(name, share, as_text(paths))
    console.print(table)


def _shown(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Money):
        return f"{value.major} {value.currency}"
    if name == "image_urls" and isinstance(value, tuple):
        more = [f"and {len(value) - _PICTURES} more"] if len(value) > _PICTURES else []
        return "\n".join([*value[:_PICTURES], *more])
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text if name == "url" else _cut(text)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
