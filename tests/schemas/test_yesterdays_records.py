"""Records written by yesterday's version still parse, and lose nothing on the way through.

The files of tests/data/records are never changed. A new version of the schemas adds files; when a
file here stops parsing, a consumer of yesterday's topics would stop too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from schemas.catalog import LedgerEntry
from schemas.export import TOPIC_RECORDS

RECORDS = Path(__file__).parents[1] / "data/records"
MODELS: dict[str, type[BaseModel]] = {**TOPIC_RECORDS, "ledger": LedgerEntry}
FILES = sorted(RECORDS.glob("*.json"))


def model_of(path: Path) -> type[BaseModel]:
    return next(model for name, model in MODELS.items() if path.name.startswith(f"{name}."))


def contains(whole: Any, part: Any) -> bool:
    """Whether everything in ``part`` is in ``whole``, at the same place."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            name in whole and contains(whole[name], value) for name, value in part.items()
        )
    if isinstance(part, list):
        return (
            isinstance(whole, list)
            and len(whole) == len(part)
            and all(contains(a, b) for a, b in zip(whole, part, strict=True))
        )
    return bool(whole == part)


def test_every_kind_of_record_is_kept() -> None:
    assert {model_of(path) for path in FILES} == set(MODELS.values())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_parses_and_nothing_is_lost(path: Path) -> None:
    model = model_of(path)
    record = model.model_validate_json(path.read_bytes())
    written = record.model_dump_json()
    assert contains(json.loads(written), json.loads(path.read_text(encoding="utf-8")))
    assert model.model_validate_json(written) == record


def test_unknown_fields_pass_through_events() -> None:
    path = RECORDS / "catalog.updates.from-the-future.json"
    record = json.loads(path.read_text())
    assert "priority" in record
    again = json.loads(TOPIC_RECORDS["catalog.updates"].model_validate(record).model_dump_json())
    assert again["priority"] == record["priority"]
