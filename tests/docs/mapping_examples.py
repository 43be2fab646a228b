"""The examples of docs/mappings.md: a part of a mapping, a file, and what is read from it."""

from __future__ import annotations

import bz2
import gzip
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs" / "mappings.md"
_BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"^\| (`` .+? ``|`[^`]+`) \| `([^`]+)` \| `([^`]+)` \|$", re.MULTILINE)
_PACK: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
}


@dataclass(frozen=True, slots=True)
class Example:
    """One of the page's examples."""

    mapping: dict[str, Any]
    """The part that is shown."""
    name: str
    """Of the file."""
    content: bytes
    expected: list[dict[str, Any]]
    """What is said of each row."""


def base() -> dict[str, Any]:
    """The mapping that the parts are added to: the first on the page."""
    return tomllib.loads(_blocks()[0][2])


def examples() -> Iterator[Example]:
    """Each mapping after the first, with the file and the result that follow it."""
    blocks = _blocks()[1:]
    assert len(blocks) % 3 == 0, "a mapping, a file and a result each"
    for number in range(0, len(blocks), 3):
        (kind, _, toml), (format_, options, content), (result, _, lines) = blocks[number:][:3]
        assert (kind, result) == ("toml", "json"), toml
        said = dict(option.split("=") for option in options.split())
        packed = _PACK[said.get("compression", "none")]
        yield Example(
            mapping=tomllib.loads(toml),
            name=said.get("name", f"feed.{format_}"),
            content=packed(content.encode(said.get("encoding", "utf-8"))),
            expected=[json.loads(line) for line in lines.splitlines()],
        )


def added(base: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """``base`` with the keys of ``part``, table by table."""
    both = {**base, **part}
    for name in base.keys() & part.keys():
        if isinstance(base[name], dict) and isinstance(part[name], dict):
            both[name] = base[name] | part[name]
    return both


def paths() -> list[tuple[str, Any, Any]]:
    """The rows of the tables of paths and functions: path, value it is looked up in, result."""
    rows = _ROW.findall(PAGE.read_text(encoding="utf-8"))
    return [
        (
            path.strip("`").strip() if not path.startswith("``") else path[3:-3],
            json.loads(on),
            json.loads(gives),
        )
        for path, on, gives in rows
    ]


def _blocks() -> list[tuple[str, str, str]]:
    """Language, options and content of each code block."""
    return _BLOCK.findall(PAGE.read_text(encoding="utf-8"))
