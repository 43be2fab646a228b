"""The JSON Schemas of topics and files: exported, valid, and true of the records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from pydantic import BaseModel

from schemas.export import RECORDS, export

YESTERDAY = Path(__file__).parents[1] / "data/records"
DOCUMENTED = Path(__file__).parents[2] / "docs/schemas"


def test_every_topic_has_a_valid_schema_file(tmp_path: Path) -> None:
    written = export(tmp_path / "schemas")
    assert [path.name for path in written] == [f"{name}.v1.json" for name in RECORDS]
    for path in written:
        Draft202012Validator.check_schema(json.loads(path.read_text()))


def test_the_documented_schemas_are_those_of_the_records(tmp_path: Path) -> None:
    for path in export(tmp_path):
        assert path.read_text() == (DOCUMENTED / path.name).read_text(), (
            f"docs/schemas/{path.name} is outdated: run `looksync schema export`"
        )


@pytest.mark.parametrize(("name", "record"), RECORDS.items())
def test_a_record_has_described_fields(name: str, record: type[BaseModel]) -> None:
    described = {field for field, info in record.model_fields.items() if info.description}
    assert described, f"no field of {name} is described"


@pytest.mark.parametrize("name", RECORDS)
def test_yesterdays_records_fit_the_schema(name: str, tmp_path: Path) -> None:
    export(tmp_path)
    validator = Draft202012Validator(json.loads((tmp_path / f"{name}.v1.json").read_text()))
    kept = sorted(YESTERDAY.glob(f"{name}*.json"))
    assert kept
    for path in kept:
        validator.validate(json.loads(path.read_text()))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("catalog.updates", {"kind": "explode"}),
        ("catalog.updates", {"payload": []}),
        ("catalog.updates", {"vendor": "A Shop"}),
        ("catalog.updates", {"schema_version": 2}),
        ("catalog.changes", {"decision": "exploded"}),
        ("looks.generated", {"look_id": ""}),
        ("looks.generated", {"market": "India"}),
        ("looks.matched", {"layers": [{"layer": "sofa", "query": ""}]}),
        ("dead-letter.headers", {"attempts": 0}),
        ("judgements", {"verdict": "maybe"}),
        ("judgements", {"layer": "sofa"}),
    ],
)
def test_what_a_consumer_elsewhere_would_catch(
    name: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    export(tmp_path)
    validator = Draft202012Validator(json.loads((tmp_path / f"{name}.v1.json").read_text()))
    record = json.loads(next(YESTERDAY.glob(f"{name}*.json")).read_text())
    with pytest.raises(ValidationError):
        validator.validate({**record, **changes})
