"""docs/mappings.md: its examples are read as it says, and it has every key and function."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from jmespath.functions import Functions
from pydantic import BaseModel

from operators.catalog.feeds.read import FeedRow, ReadPacket, RejectedRow, read_feed
from operators.catalog.feeds.source import FeedSource
from operators.catalog.field_rule import FieldRule
from operators.catalog.map_packet import map_packet
from operators.catalog.mapping import Mapping, MappingFile
from operators.catalog.paths import FieldPath
from operators.catalog.texts import NULL_WORDS
from schemas.catalog import PacketKind, ProductUpdate
from schemas.money import Money
from tests.docs.mapping_examples import PAGE, Example, added, base, examples, paths

EXAMPLES = list(examples())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: next(iter(example.mapping)))
def test_the_examples_are_read_as_the_page_says(tmp_path: Path, example: Example) -> None:
    path = tmp_path / example.name
    path.write_bytes(example.content)
    mapping = Mapping.of(added(base(), example.mapping), PAGE)
    version = None if mapping.feed_version else 1  # as ingest does
    rows = list(read_feed(FeedSource.of(str(path)), mapping, version))
    assert len(rows) == len(example.expected)
    for row, expected in zip(rows, example.expected, strict=True):
        found = as_said(row, mapping)
        assert {name: found.get(name) for name in expected} == expected
        assert found.get("notes", []) == expected.get("notes", [])


def as_said(row: FeedRow, mapping: Mapping) -> dict[str, Any]:
    """A row in the words of the page."""
    if isinstance(row, RejectedRow):
        return {"refused": row.reason}
    if not isinstance(row, ReadPacket):
        return {"skipped": True}
    packet = row.packet
    said = {"id": packet.product_id, "version": packet.version}
    if packet.kind is PacketKind.DELETE:
        return {**said, "deleted": True}
    update = map_packet(packet, mapping).update
    values = {name: plain(getattr(update, name)) for name in ProductUpdate.model_fields}
    return {**said, **values, "notes": [f"{note.field}: {note.reason}" for note in row.notes]}


def plain(value: object) -> object:
    if isinstance(value, Money):
        return f"{value.major} {value.currency}"
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


@pytest.mark.parametrize(("path", "on", "gives"), paths())
def test_the_paths_give_what_the_page_says(path: str, on: Any, gives: Any) -> None:
    assert FieldPath.of(path).find(on) == gives


def test_each_function_has_an_example() -> None:
    used = {name for path, _, _ in paths() for name in functions_in(FieldPath.of(path))}
    assert used == set(Functions.FUNCTION_TABLE)


def functions_in(path: FieldPath) -> Iterator[str]:
    nodes = [path.compiled.parsed]
    for node in nodes:
        if node["type"] == "function_expression":
            yield node["value"]
        nodes.extend(child for child in node["children"] if isinstance(child, dict))


def test_each_key_has_an_example() -> None:
    used = {key for part in (base(), *(e.mapping for e in EXAMPLES)) for key in keys_in(part)}
    fields = {f"fields.{name}" for name in ProductUpdate.model_fields}
    rules = {f"fields.*.{name}" for name in FieldRule.model_fields}
    assert used == {*keys_of(MappingFile), *fields, *rules}


def keys_of(model: type[BaseModel]) -> Iterator[str]:
    """Dotted names of all keys of a mapping file, but for those of [fields] and [tables]."""
    for name, field in model.model_fields.items():
        inner = [
            kind
            for kind in (field.annotation, *getattr(field.annotation, "__args__", ()))
            if isinstance(kind, type) and issubclass(kind, BaseModel)
        ]
        if inner and name != "fields":
            yield from (f"{name}.{key}" for key in keys_of(inner[0]))
        elif name != "fields":
            yield name


def keys_in(part: dict[str, Any]) -> Iterator[str]:
    for name, value in part.items():
        if name == "tables" or not isinstance(value, dict):
            yield name
            continue
        for key, inner in value.items():
            if name == "fields":
                yield f"fields.{key}"
            if isinstance(inner, dict):
                place = "fields.*" if name == "fields" else f"{name}.{key}"
                yield from (f"{place}.{deep}" for deep in inner)
            elif name != "fields":
                yield f"{name}.{key}"


def test_the_null_words_are_all_there() -> None:
    text = PAGE.read_text(encoding="utf-8").casefold()
    assert [word for word in NULL_WORDS if word and f"`{word}`" not in text] == []
