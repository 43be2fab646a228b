"""The record that a flow on file topics was calling when it died is remembered."""

from __future__ import annotations

from pathlib import Path

import pytest

from operators.streaming.engine.call_policy import DEATHS, TRIALS
from operators.streaming.files.call_journal import SURVIVED_CALLS, CallJournal
from schemas.errors import KilledProcess
from schemas.records import Position, Record


def record(offset: int) -> Record:
    return Record("key", b"value", position=Position("in", 0, offset))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "calls.json"


def die(file: Path, *offsets: int) -> None:
    """A process that dies in the last of these calls."""
    journal = CallJournal(file)
    for offset in offsets:
        assert journal.start(record(offset))


def test_one_death_changes_nothing(file: Path) -> None:
    die(file, 1)
    assert not CallJournal(file).one_at_a_time


def test_after_two_deaths_records_are_called_one_at_a_time(file: Path) -> None:
    for _ in range(DEATHS):
        die(file, 1)
    assert CallJournal(file).one_at_a_time


def test_the_record_of_five_deaths_is_not_called_again(file: Path) -> None:
    for _ in range(DEATHS + TRIALS):
        die(file, 1, 2, 3)
    journal = CallJournal(file)
    assert journal.start(record(4))
    with pytest.raises(KilledProcess, match="5 times while it handled this record alone") as raised:
        journal.start(record(3))
    assert raised.value.attempts == DEATHS + TRIALS


def test_deaths_of_different_records_blame_none(file: Path) -> None:
    for offset in range(20):
        die(file, offset)


@pytest.mark.parametrize("deaths", [1, DEATHS + TRIALS])
def test_an_end_in_order_blames_no_record(file: Path, deaths: int) -> None:
    for _ in range(deaths - 1):
        die(file, 1)
    journal = CallJournal(file)
    if deaths == 1:
        journal.start(record(1))
    journal.close()
    again = CallJournal(file)
    assert again.one_at_a_time == (deaths > 1)
    assert again.start(record(1))


def test_deaths_are_forgotten_once_enough_calls_have_survived(file: Path) -> None:
    for _ in range(DEATHS):
        die(file, 1)
    journal = CallJournal(file)
    for offset in range(SURVIVED_CALLS + 1):
        assert journal.start(record(offset))
    assert not journal.one_at_a_time
    assert not CallJournal(file).one_at_a_time, "one death, counted from zero"


def test_an_unreadable_file_counts_as_none(file: Path) -> None:
    file.write_bytes(b"\xff{")
    assert not CallJournal(file).one_at_a_time
