"""Nothing breaks programs that were written for the released documents."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.released import breaks, may_break, oasdiff, released, today, version_of

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def tool() -> Path:
    if (found := oasdiff()) is None:
        pytest.skip("no oasdiff: `make contract-tools` builds it, if there is Go")
    return found


def test_nothing_breaks(tool: Path, tmp_path: Path) -> None:
    found = breaks(tool, released(), today(), tmp_path)
    assert not found, "\n".join(
        ["programs break; mend it, or see docs/api.md, `A wanted break`:", *found]
    )


def test_the_released_documents_have_this_version() -> None:
    versions = {version_of(document) for document in released().values()}
    assert versions == {version("looksync")}, "a new version: run `python -m tests.contracts`"


def test_a_break_needs_another_version() -> None:
    assert not may_break("0.1.0", "0.1.9")
    assert may_break("0.1.9", "0.2.0")
    assert not may_break("1.1.0", "1.2.0")
    assert may_break("1.2.0", "2.0.0")


def of(document: dict[str, Any], model: str) -> dict[str, Any]:
    found: dict[str, Any] = document["components"]["schemas"][model]
    return found


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("openapi.json", lambda d: d["paths"].pop("/v1/meta"), "removed"),
        (
            "openapi.json",
            lambda d: of(d, "OfferedProduct")["properties"].pop("similarity"),
            "removed the optional property",
        ),
        (
            "openapi.json",
            lambda d: of(d, "NewLook").update(required=["image", "market"]),
            "became required",
        ),
        (
            "openapi.json",
            lambda d: of(d, "Gender")["enum"].remove("unisex"),
            "removed the enum value",
        ),
        (
            "asyncapi.json",
            lambda d: of(d, "Look").update(required=["look_id", "image", "user_id"]),
            "became required",
        ),
        (
            "asyncapi.json",
            lambda d: of(d, "LookMatches")["properties"].pop("refused"),
            "removed the optional property",
        ),
        (
            "asyncapi.json",
            lambda d: of(d, "Interaction")["properties"]["kind"]["enum"].remove("hide"),
            "removed the enum value",
        ),
        (
            "asyncapi.json",
            lambda d: d["components"]["messages"]["dead-letter"]["headers"]["properties"].pop(
                "dlq-reason"
            ),
            "removed the required property",
        ),
    ],
)
def test_a_break_is_named(name: str, change: Change, said: str, tool: Path, tmp_path: Path) -> None:
    now = released()
    document = json.loads(now[name])
    change(document)
    found = breaks(tool, released(), {**now, name: json.dumps(document)}, tmp_path)
    assert any(said in one for one in found), found


def test_what_is_new_and_optional_breaks_nothing(tool: Path, tmp_path: Path) -> None:
    now = released()
    document = json.loads(now["openapi.json"])
    for model in ("NewLook", "OfferedProduct"):
        of(document, model)["properties"]["hint"] = {"type": "string"}
    found = breaks(tool, released(), {**now, "openapi.json": json.dumps(document)}, tmp_path)
    assert found == []
