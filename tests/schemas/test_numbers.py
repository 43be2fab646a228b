"""No event and no ledger entry has a number that JSON cannot carry; none is written that its own
schema refuses."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from schemas.base import Event, encode
from schemas.catalog import LedgerEntry
from schemas.export import TOPIC_RECORDS
from schemas.looks import LookMatches

YESTERDAY = Path(__file__).parents[1] / "data/records"
KEPT = [
    *(
        (model, json.loads(path.read_text()))
        for name, model in TOPIC_RECORDS.items()
        for path in sorted(YESTERDAY.glob(f"{name}.*.json"))
    ),
    *(  # in today's form: what an earlier release wrote, only `read` understands
        (LedgerEntry, LedgerEntry.read(path.read_text()).model_dump(mode="json"))
        for path in sorted(YESTERDAY.glob("ledger.*.json"))
    ),
]
UNTYPED = {"payload", "trace"}
"""Whatever a vendor, or a later version, writes there."""


def numbers(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of the numbers in a record."""
    if isinstance(value, dict | list):
        steps = value.items() if isinstance(value, dict) else enumerate(value)
        for step, inner in steps:
            if step not in UNTYPED:
                yield from numbers(inner, (*path, step))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path


CASES = [(model, record, path) for model, record in KEPT for path in numbers(record)]


def test_the_kept_records_have_numbers_of_every_event() -> None:
    assert {model for model, _, path in CASES if path != ("schema_version",)} >= {
        *TOPIC_RECORDS.values(),
        LedgerEntry,
    } - {TOPIC_RECORDS["looks.generated"], TOPIC_RECORDS["interactions"]}


@pytest.mark.parametrize(
    "bad", [math.nan, math.inf, -math.inf, {}, "x", True, False, 10**400], ids=repr
)
@pytest.mark.parametrize(("model", "record", "path"), CASES)
def test_what_is_not_a_finite_number_is_refused(
    model: type[BaseModel], record: dict[str, Any], path: tuple[Any, ...], bad: Any
) -> None:
    changed = copy.deepcopy(record)
    *parents, last = path
    place = changed
    for step in parents:
        place = place[step]
    place[last] = bad
    with pytest.raises(ValidationError):
        model.model_validate(changed)
    with pytest.raises(ValidationError):
        model.model_validate_json(json.dumps(changed))


@pytest.mark.parametrize(("model", "record"), KEPT)
def test_what_is_written_is_read_again(model: type[BaseModel], record: dict[str, Any]) -> None:
    event = model.model_validate(record)
    if isinstance(event, Event):
        assert model.model_validate_json(encode(event)) == event


@pytest.mark.parametrize("score", [math.nan, math.inf, None, "high", {}])
def test_an_event_that_breaks_its_schema_is_not_encoded(score: Any) -> None:
    """Parts that are copied with changes are not validated again."""
    record = (YESTERDAY / "looks.matched.found.json").read_text()
    event = LookMatches.model_validate_json(record)
    layer = event.layers[0]
    product = layer.products[0].model_copy(update={"score": score})
    broken = event.model_copy(
        update={"layers": (layer.model_copy(update={"products": (product,)}),)}
    )
    with pytest.raises(ValidationError):
        encode(broken)
