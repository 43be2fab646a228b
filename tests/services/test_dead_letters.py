"""`looksync dlq`: letters are listed with what became of them, replayed and discarded by choice."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import pytest

from operators.streaming.dead_letters import dead_letter
from operators.streaming.engine.outcomes import Failed
from operators.streaming.files.topic import FileTopic
from schemas.errors import ImageRefused, InvalidUpdate, LookSyncError
from schemas.records import Record
from tests.services.command_line import looksync


class Dlq(Protocol):
    """Runs ``looksync dlq`` and returns what it prints."""

    def __call__(self, *arguments: str, code: int = 0) -> str: ...


REFUSALS: list[tuple[str, LookSyncError]] = [
    ("acme:1", ImageRefused("a bomb", reason="too-large")),
    ("acme:2", InvalidUpdate("no mapping", reason="unknown-vendor")),
    ("other:1", InvalidUpdate("no mapping", reason="unknown-vendor")),
]


@pytest.fixture
def updates(tmp_path: Path) -> FileTopic:
    """Three packets of two vendors that failed."""
    folder = tmp_path / "var/topics"
    source, letters = FileTopic(folder, "catalog.updates"), FileTopic(folder, "catalog.updates.dlq")
    for topic in (source, letters):
        topic.create(2)
    source.append(Record(key, b"{}") for key, _ in REFUSALS)
    errors = dict(REFUSALS)
    read = [record for p in range(2) for record in source.read(p)]
    letters.append(dead_letter(Failed(record, errors[record.key], 1)) for record in read)
    return source


@pytest.fixture
def dlq(tmp_path: Path) -> Dlq:
    def run(*arguments: str, code: int = 0) -> str:
        done = looksync("dlq", *arguments, cwd=tmp_path)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    return run


def replayed(source: FileTopic) -> set[str]:
    return {r.key for p in range(2) for r in source.read(p) if "replay-of" in r.headers}


def test_letters_are_replayed_by_reason_and_vendor(updates: FileTopic, dlq: Dlq) -> None:
    chosen = ("catalog.updates", "--reason", "unknown-vendor", "--vendor", "other")

    shown = dlq("replay", *chosen, "--dry-run")
    assert "1 dead letters selected" in shown
    assert "other:1" in shown
    assert replayed(updates) == set()

    assert "1 replayed" in dlq("replay", *chosen)
    assert replayed(updates) == {"other:1"}
    assert "0 replayed" in dlq("replay", *chosen)


def test_discarded_letters_stay_listed_and_are_not_replayed(updates: FileTopic, dlq: Dlq) -> None:
    assert "1 of catalog.updates discarded" in dlq("discard", "catalog.updates", "--key", "acme:1")
    assert "2 replayed" in dlq("replay", "catalog.updates")
    assert replayed(updates) == {"acme:2", "other:1"}
    listed = dlq("list", "--topic", "catalog.updates")
    assert "3 dead letters (1 discarded, 2 replayed)" in listed


def test_letters_are_chosen_by_time_and_number(updates: FileTopic, dlq: Dlq) -> None:
    tomorrow = f"{datetime.now(UTC).date().replace(year=9999)}"
    assert "0 replayed" in dlq("replay", "catalog.updates", "--since", tomorrow)
    assert "2 replayed" in dlq("replay", "catalog.updates", "--until", tomorrow, "--limit", "2")


@pytest.mark.parametrize(
    ("arguments", "output"),
    [(("discard",), "select the letters"), (("replay", "--since", "noon"), "not a time")],
)
def test_what_a_command_needs(
    updates: FileTopic, dlq: Dlq, arguments: tuple[str, ...], output: str
) -> None:
    command, *options = arguments
    assert output in dlq(command, "catalog.updates", *options, code=2)
    assert replayed(updates) == set()
