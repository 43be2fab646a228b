"""The AsyncAPI document: the committed one, valid, and true of the records."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError

from operators.streaming.asyncapi import asyncapi_document
from schemas.dead_letters import DeadLetter
from schemas.errors import InvalidRecord
from schemas.export import TOPIC_RECORDS
from schemas.records import Position, Record
from schemas.settings import TopicSettings

ROOT = Path(__file__).parents[2]
OFFICIAL = ROOT / "tests/data/asyncapi/3.0.0-without-$id.json.gz"
MOMENT = datetime(2026, 11, 29, tzinfo=UTC)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(asyncapi_document())
    return found


def validator(document: dict[str, Any], message: str, part: str) -> Draft7Validator:
    """Of the payload or the headers of ``message``."""
    schema = document["components"]["messages"][message][part]
    return Draft7Validator({"components": document["components"], **schema})


def test_the_committed_document_is_the_topics_own() -> None:
    committed = (ROOT / "docs/asyncapi.json").read_text()
    assert committed == asyncapi_document(), (
        "docs/asyncapi.json is outdated: run `looksync topics document > docs/asyncapi.json`"
    )


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    Draft7Validator(json.loads(gzip.decompress(OFFICIAL.read_bytes()))).validate(document)


def test_every_topic_is_described(document: dict[str, Any]) -> None:
    topics = TopicSettings()
    own = {topics.updates, topics.changes, topics.looks, topics.matches, topics.interactions}
    letters = {topics.dead_letters(name) for name in (topics.updates, topics.looks)}
    assert {one["address"] for one in document["channels"].values()} == own | letters


@pytest.mark.parametrize("topic", [name for name in TOPIC_RECORDS if name != "dead-letter.headers"])
def test_kept_records_fit_the_messages(topic: str, document: dict[str, Any]) -> None:
    payload = validator(document, topic, "payload")
    for path in (ROOT / "tests/data/records").glob(f"{topic}.*.json"):
        payload.validate(json.loads(path.read_text()))
    with pytest.raises(ValidationError):
        payload.validate({"schema_version": 1})


def test_the_headers_of_a_dead_letter_fit(document: dict[str, Any]) -> None:
    record = Record("k", b"{", {"traceparent": "00-1"}, Position("looks.generated", 0, 7))
    error = InvalidRecord("no JSON")
    letter = DeadLetter.of(record, error, stage="parse", attempts=1, first=MOMENT, last=MOMENT)
    headers = validator(document, "dead-letter", "headers")
    headers.validate(dict(letter.to_record(record).headers))
    with pytest.raises(ValidationError):
        headers.validate(dict(record.headers))
