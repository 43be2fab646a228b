"""JSON Schema of all records on the topics, for other producers and consumers."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel

from schemas.catalog import Packet, ProductChange
from schemas.dead_letters import DeadLetter
from schemas.looks import Look, LookMatches

TOPIC_RECORDS: dict[str, type[BaseModel]] = {
    "catalog.updates": Packet,
    "catalog.changes": ProductChange,
    "looks.generated": Look,
    "looks.matched": LookMatches,
    "dead-letter.headers": DeadLetter,
}


def json_schema(name: str) -> str:
    """The JSON Schema (draft 2020-12) of one topic's records, as text."""
    schema = TOPIC_RECORDS[name].model_json_schema(mode="validation")
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def export(folder: Path) -> list[Path]:
    """Write ``<topic>.v1.json`` for every topic into ``folder``; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in TOPIC_RECORDS:
        path = folder / f"{name}.v1.json"
        path.write_text(json_schema(name), encoding="utf-8")
        written.append(path)
    return written
