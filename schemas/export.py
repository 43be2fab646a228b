"""JSON Schema of all records on the topics and in files, for other producers and consumers."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel

from schemas.catalog import Packet, ProductChange
from schemas.dead_letters import DeadLetter
from schemas.interactions import Interaction
from schemas.judgements import Judgement
from schemas.looks import Look, LookMatches

TOPIC_RECORDS: dict[str, type[BaseModel]] = {
    "catalog.updates": Packet,
    "catalog.changes": ProductChange,
    "looks.generated": Look,
    "looks.matched": LookMatches,
    "interactions": Interaction,
    "dead-letter.headers": DeadLetter,
}

FILE_RECORDS: dict[str, type[BaseModel]] = {"judgements": Judgement}
"""Lines of JSON Lines files."""

RECORDS = {**TOPIC_RECORDS, **FILE_RECORDS}


def json_schema(name: str) -> str:
    """The JSON Schema (draft 2020-12) of the records of one topic or file, as text."""
    schema = RECORDS[name].model_json_schema(mode="validation")
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def export(folder: Path) -> list[Path]:
    """Write ``<name>.v1.json`` for every one of RECORDS into ``folder``; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in RECORDS:
        path = folder / f"{name}.v1.json"
        path.write_text(json_schema(name), encoding="utf-8")
        written.append(path)
    return written
