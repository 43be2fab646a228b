"""Log lines carry the ids that were bound around them."""

from __future__ import annotations

import json
from typing import Literal

import pytest
import structlog
from structlog.contextvars import bound_contextvars

from operators.logs import configure


@pytest.fixture
def _unconfigured_afterwards() -> object:
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("_unconfigured_afterwards")
def test_json_lines_name_their_look(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json")
    log = structlog.get_logger()

    with bound_contextvars(look_id="look-1"):
        log.info("degraded", stage="describe")
    log.info("after")

    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert first["look_id"] == "look-1"
    assert (first["event"], first["stage"], first["level"]) == ("degraded", "describe", "info")
    assert first["timestamp"].endswith("Z")
    assert "look_id" not in second


@pytest.mark.usefixtures("_unconfigured_afterwards")
def test_console_lines_are_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure("console")

    with bound_contextvars(product="acme:1"):
        structlog.get_logger().info("applied")

    assert "applied" in (line := capsys.readouterr().err)
    assert "product=acme:1" in line


@pytest.mark.usefixtures("_unconfigured_afterwards")
@pytest.mark.parametrize("log_format", ["json", "console"])
def test_tracebacks_show_no_local_variables(
    log_format: Literal["json", "console"], capsys: pytest.CaptureFixture[str]
) -> None:
    configure(log_format)

    def connect(password: str) -> None:
        raise ConnectionError(f"refused after {len(password)} characters")

    try:
        connect("".join(["hunter", "2"]))
    except ConnectionError:
        structlog.get_logger().exception("no connection")

    printed = capsys.readouterr().err
    assert "refused after 7 characters" in printed
    assert "connect" in printed
    assert "hunter2" not in printed
