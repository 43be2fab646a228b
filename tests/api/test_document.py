"""The committed OpenAPI document, and its examples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from services.api.app import openapi_document

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "docs/openapi.json"
DOCUMENT = json.loads(COMMITTED.read_text())
OPERATIONS = {
    operation["operationId"]: operation
    for path in DOCUMENT["paths"].values()
    for operation in path.values()
}


def contents(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The contents of the request and the answers of ``operation``, and their media types."""
    for body in (operation.get("requestBody", {}), *operation["responses"].values()):
        yield from body.get("content", {}).items()


def examples(content: dict[str, Any]) -> list[Any]:
    """The values of the examples of ``content``."""
    names = [one["$ref"].rpartition("/")[2] for one in content.get("examples", {}).values()]
    found = [DOCUMENT["components"]["examples"][name]["value"] for name in names]
    return [*found, content["example"]] if "example" in content else found


def test_the_committed_document_is_the_apis_own() -> None:
    assert COMMITTED.read_text() == openapi_document(), (
        "docs/openapi.json is outdated: run `looksync api document > docs/openapi.json`"
    )


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_body_has_examples_that_its_schema_accepts(name: str) -> None:
    for media_type, content in contents(OPERATIONS[name]):
        if media_type == "image/jpeg":
            continue  # no text shows one
        shown = examples(content)
        assert shown, f"{media_type} of {name} has no example"
        schema = {**content.get("schema", {}), "components": DOCUMENT["components"]}
        for value in shown:
            jsonschema.Draft202012Validator(schema).validate(value)


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation_shows_its_problems(name: str) -> None:
    problems = OPERATIONS[name]["responses"]["default"]["content"]["application/problem+json"]
    assert examples(problems)


def test_the_shown_reason_codes_exist() -> None:
    folders = ("services", "operators", "schemas")
    sources = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    code = "".join(path.read_text() for path in sources if path.name != "examples.py")
    shown = [one["value"] for one in DOCUMENT["components"]["examples"].values()]
    codes = {value["code"] for value in shown if "code" in value}
    assert codes
    for one in codes:
        assert f'"{one}"' in code, f"nothing answers {one}"
