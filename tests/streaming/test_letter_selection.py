"""Which dead letters a selection includes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from operators.streaming.dead_letters import StoredLetter
from operators.streaming.letter_selection import ALL, Selection
from schemas.dead_letters import DeadLetter
from schemas.records import Record

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def stored(offset: int, key: str, stage: str, reason: str, minutes: int) -> StoredLetter:
    moment = NOON + timedelta(minutes=minutes)
    letter = DeadLetter(
        error_class="Rejected",
        reason=reason,
        stage=stage,
        message="no",
        topic="catalog.updates",
        partition=0,
        offset=offset,
        attempts=1,
        first_time=moment,
        last_time=moment,
    )
    return StoredLetter(letter, Record(key, b""))


LETTERS = [
    stored(0, "acme:1", "image", "too-large", 0),
    stored(1, "acme:2", "map", "unknown-vendor", 1),
    stored(2, "acme-x:1", "image", "unavailable", 2),
    stored(3, "look-1", "service", "unavailable", 3),
]


@pytest.mark.parametrize(
    ("selection", "offsets"),
    [
        (ALL, [0, 1, 2, 3]),
        (Selection(names=frozenset({"0/1", "catalog.updates/0/3", "0/9"})), [1, 3]),
        (Selection(reasons=frozenset({"unavailable"})), [2, 3]),
        (Selection(reasons=frozenset({"image:unavailable"})), [2]),
        (Selection(reasons=frozenset({"image"})), []),
        (Selection(keys=frozenset({"acme:1", "look-1"})), [0, 3]),
        (Selection(vendors=frozenset({"acme"})), [0, 1]),
        (Selection(vendors=frozenset({"look-1"})), []),
        (Selection(since=NOON + timedelta(minutes=1)), [1, 2, 3]),
        (Selection(until=NOON + timedelta(minutes=1)), [0]),
        (Selection(since=NOON, until=NOON), []),
        (Selection(limit=2), [0, 1]),
        (Selection(reasons=frozenset({"unavailable"}), limit=1), [2]),
        (Selection(vendors=frozenset({"acme"}), reasons=frozenset({"too-large"})), [0]),
    ],
)
def test_the_parts_of_a_selection(selection: Selection, offsets: list[int]) -> None:
    chosen = selection.choose(LETTERS, ())
    assert [letter.letter.offset for letter in chosen.values()] == offsets


def test_settled_letters_neither_count_nor_are_chosen() -> None:
    chosen = Selection(limit=2).choose(LETTERS, {"catalog.updates/0/0"})
    assert list(chosen) == ["catalog.updates/0/1", "catalog.updates/0/2"]


def test_a_letter_that_is_stored_twice_is_chosen_once() -> None:
    """As after a crash of the flow that wrote it."""
    assert len(Selection(limit=2).choose([LETTERS[0], *LETTERS], ())) == 2
