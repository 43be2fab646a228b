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

from schemas import export
from schemas.catalog import LedgerEntry, ProductUpdate

RECORDS = Path(__file__).parents[1] / "data/records"
MODELS: dict[str, type[BaseModel]] = {**export.RECORDS, "ledger": LedgerEntry}
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


def without_negative_versions(entry: dict[str, Any]) -> dict[str, Any]:
    """Versions below 0 used to stand for a missing version, stored as null since."""
    return entry | {name: None for name in ("version", "deleted_version") if entry.get(name, 0) < 0}


def test_every_kind_of_record_is_kept() -> None:
    assert {model_of(path) for path in FILES} == set(MODELS.values())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_parses_and_nothing_is_lost(path: Path) -> None:
    model = model_of(path)
    parse = LedgerEntry.read if model is LedgerEntry else model.model_validate_json
    record = parse(path.read_bytes())
    written = record.model_dump_json()
    expected = json.loads(path.read_text(encoding="utf-8"))
    if model is LedgerEntry:
        expected = without_negative_versions(expected)
    assert contains(json.loads(written), expected)
    assert model.model_validate_json(written) == record


def test_unknown_fields_pass_through_events() -> None:
    path = RECORDS / "catalog.updates.from-the-future.json"
    record = json.loads(path.read_text())
    assert "priority" in record
    again = json.loads(export.RECORDS["catalog.updates"].model_validate(record).model_dump_json())
    assert again["priority"] == record["priority"]


@pytest.mark.parametrize(
    ("stored", "meaning"),
    [
        ({"version": -1, "deleted_version": -1}, LedgerEntry(key="shop:1")),
        ({"version": -1, "deleted_version": 3}, LedgerEntry(key="shop:1", deleted_version=3)),
        ({"version": 3, "deleted_version": -1}, LedgerEntry(key="shop:1", version=3)),
        ({"version": -1, "deleted_version": -2}, LedgerEntry(key="shop:1", version_unknown=True)),
        ({"deleted_version": -2}, LedgerEntry(key="shop:1", version_unknown=True)),
        (
            {"update": {"title": "Kurta"}},
            LedgerEntry(key="shop:1", update=ProductUpdate(title="Kurta")),
        ),
    ],
)
def test_a_negative_version_in_a_ledger_entry_is_a_missing_one(
    stored: dict[str, Any], meaning: LedgerEntry
) -> None:
    assert LedgerEntry.read(json.dumps({"key": "shop:1", **stored})) == meaning


def test_a_product_of_unknown_version_still_exists() -> None:
    path = RECORDS / "ledger.index-only.json"
    entry = LedgerEntry.read(path.read_bytes())
    assert entry.exists
    assert LedgerEntry.read(entry.model_dump_json(exclude_defaults=True)).exists
