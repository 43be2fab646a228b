"""``looksync schema check``: check records against a topic's schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console

from schemas.errors import InvalidFile, Misconfigured, list_problems
from schemas.export import RECORDS
from services.cli.console import as_text

SHOWN = 20
"""Records that do not fit; the others are only counted."""


def check(file: Path, topic: str, console: Console) -> int:
    """Print which records of ``file`` do not fit, and why; 1 if there is one, else 0.

    Raises Misconfigured for an unknown topic, InvalidFile for a file without a record, OSError.
    """
    if topic not in RECORDS:
        raise Misconfigured(f"{topic} has no schema; choose one of {', '.join(sorted(RECORDS))}")
    model = RECORDS[topic]
    checked = wrong = 0
    for place, text in _records(file.read_bytes()):
        checked += 1
        try:
            model.model_validate_json(text)
        except ValidationError as error:
            wrong += 1
            if wrong <= SHOWN:
                console.print(as_text(f"{place}: {list_problems(error)}"), soft_wrap=True)
    if not checked:
        raise InvalidFile(f"{file} has no record")
    fit = "all fit" if not wrong else f"{wrong:,} do not fit"
    console.print(f"{checked:,} records of {topic}: {fit}", highlight=False)
    return 1 if wrong else 0


def _records(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Place and text of each record: of the whole file, if that is one JSON value over lines."""
    lines = [(n, line) for n, line in enumerate(content.splitlines(), start=1) if line.strip()]
    if len(lines) > 1 and not _is_json(lines[0][1]) and _is_json(content):
        yield "record", content
        return
    for number, line in lines:
        yield f"line {number}", line


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
