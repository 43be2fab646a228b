"""Compares the documents of the API and the topics with those that were last released."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from operators.streaming.asyncapi import asyncapi_document
from services.api.app import openapi_document

ROOT = Path(__file__).parents[2]
RELEASED = ROOT / "docs/released"

SEVERITIES = ROOT / "tests/contracts/severities.txt"
"""oasdiff lets an optional field of an answer vanish; all of ours are, to pydantic, optional that
have a default."""

WRITTEN_BY_OTHERS = {"catalog.updates", "looks.generated", "interactions"}
READ_BY_OTHERS = {"catalog.changes", "looks.matched", "interactions", "dead-letter"}


def today() -> dict[str, str]:
    """File -> document."""
    return {"openapi.json": openapi_document(), "asyncapi.json": asyncapi_document()}


def released() -> dict[str, str]:
    """The same, as released."""
    return {name: (RELEASED / name).read_text(encoding="utf-8") for name in today()}


def version_of(document: str) -> str:
    found: str = json.loads(document)["info"]["version"]
    return found


def may_break(before: str, now: str = version("looksync")) -> bool:
    """Whether the version ``now`` may break what ``before`` promised: another major one may, and
    before 1.0 another minor one (semantic versioning)."""

    def promise(text: str) -> tuple[str, ...]:
        major, minor, *_ = text.split(".")
        return (major, minor) if major == "0" else (major,)

    return promise(before) != promise(now)


def oasdiff() -> Path | None:
    built = ROOT / ".tools" / "bin" / "oasdiff"
    found = shutil.which("oasdiff")
    return built if built.exists() else Path(found) if found else None


def breaks(tool: Path, before: dict[str, str], now: dict[str, str], folder: Path) -> list[str]:
    """What would break a program that was written for ``before``, a sentence each."""
    found: list[str] = []
    for name in before:
        paths = [folder / f"{side}-{name}" for side in ("released", "today")]
        for path, document in zip(paths, (before[name], now[name]), strict=True):
            text = document if name == "openapi.json" else as_openapi(document)
            path.write_text(text, encoding="utf-8")
        command = [str(tool), "breaking", *map(str, paths), "--format", "json"]
        command += ["--severity-levels", str(SEVERITIES)]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode:
            raise RuntimeError(f"oasdiff: {answer.stderr}")
        found += [_sentence(one) for one in json.loads(answer.stdout or "[]") or []]
    return found


def _sentence(change: dict[str, Any]) -> str:
    return f"{change['operation']} {change['path']}: {change['text']} [{change['id']}]"


def as_openapi(asyncapi: str) -> str:
    """The topics as if they were resources, so that one tool compares both: a record that others
    write is a request, one that others read is a response."""
    document = json.loads(asyncapi)
    paths: dict[str, Any] = {}
    for name, message in document["components"]["messages"].items():
        schema = message["headers"] if name == "dead-letter" else message["payload"]
        content = {"application/json": {"schema": schema}}
        own = paths[f"/{name}"] = {}
        done = {"200": {"description": "read", "content": content}}
        if name in READ_BY_OTHERS:
            own["get"] = {"responses": done}
        if name in WRITTEN_BY_OTHERS:
            own["post"] = {
                "requestBody": {"required": True, "content": content},
                "responses": {"204": {"description": "written"}},
            }
    return json.dumps(
        {
            "openapi": "3.1.0",
            "info": document["info"],
            "paths": {path: own for path, own in paths.items() if own},
            "components": {"schemas": document["components"]["schemas"]},
        }
    )
