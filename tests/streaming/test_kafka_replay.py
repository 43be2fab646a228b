"""Replays of dead letters: each failed record once, whatever happens to a replay."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from operators.streaming.dead_letters import REPLAY_OF, REPLAYED, dead_letter, read_letters
from operators.streaming.engine.outcomes import Failed
from operators.streaming.kafka.replay import discard, replay, settled
from operators.streaming.kafka.topic import KafkaTopic
from operators.streaming.letter_selection import Selection
from schemas.errors import ImageRefused, Unavailable
from schemas.records import Record
from tests.streaming.fake_kafka import FakeKafka
from tests.streaming.kafka_process import topic


@pytest.fixture
def source(kafka: FakeKafka) -> KafkaTopic:
    kafka.create("looks", 2)
    return topic(kafka, "looks")


@pytest.fixture
def letters(kafka: FakeKafka) -> KafkaTopic:
    kafka.create("looks.dlq", 2)
    return topic(kafka, "looks.dlq", timeout_seconds=2)


def all_records(topic: KafkaTopic) -> list[Record]:
    return [record for p in range(topic.partitions) for record in topic.read(p)]


def fail(source: KafkaTopic, letters: KafkaTopic, count: int) -> list[str]:
    """Records on ``source`` that failed; the names of their letters."""
    positions = source.append(Record(f"k{n}", b"%d" % n, {"trace": str(n)}) for n in range(count))
    records = {record.position: record for record in all_records(source)}
    error = ImageRefused("too large", reason="too-large")
    letters.append(dead_letter(Failed(records[p], error, 1)) for p in positions)
    return [str(position) for position in positions]


def replayed(source: KafkaTopic) -> list[tuple[str, bytes, str]]:
    """Key, value and letter of each replayed record."""
    return sorted(
        (record.key, record.value, record.headers[REPLAY_OF])
        for record in all_records(source)
        if REPLAY_OF in record.headers
    )


def test_a_replay_repeats_each_failed_record_once(source: KafkaTopic, letters: KafkaTopic) -> None:
    names = fail(source, letters, 5)
    repeated = [(f"k{n}", b"%d" % n, name) for n, name in enumerate(names)]

    assert replay(letters, source) == 5
    assert replayed(source) == repeated
    assert {r.headers["trace"] for r in all_records(source) if REPLAY_OF in r.headers} == set(
        "01234"
    )

    assert replay(letters, source) == 0
    assert replayed(source) == repeated


def test_only_the_named_letters_are_replayed(source: KafkaTopic, letters: KafkaTopic) -> None:
    names = fail(source, letters, 3)

    assert replay(letters, source, Selection(names=frozenset({names[1]}))) == 1

    assert replayed(source) == [("k1", b"1", names[1])]


def test_a_discarded_letter_is_not_replayed(source: KafkaTopic, letters: KafkaTopic) -> None:
    first, second, third = fail(source, letters, 3)
    replay(letters, source, Selection(names=frozenset({first})))

    assert discard(letters, source, Selection(names=frozenset({first, second}))) == 1
    assert replay(letters, source) == 1

    assert replayed(source) == [("k0", b"0", first), ("k2", b"2", third)]
    assert settled(letters) == {first: "replayed", second: "discarded", third: "replayed"}
    assert [stored.name for stored in read_letters(letters)] != []


def test_a_mark_is_stored_beside_its_letter(source: KafkaTopic, letters: KafkaTopic) -> None:
    """It has the letter's key, so that both are in one partition, and is not listed as a letter."""
    names = fail(source, letters, 4)
    replay(letters, source)

    marks = [record for record in all_records(letters) if REPLAYED in record.headers]
    stored = {letter.name: letter.record for letter in read_letters(letters)}

    assert sorted(mark.headers[REPLAYED] for mark in marks) == sorted(names) == sorted(stored)
    for mark in marks:
        assert mark.value == b""
        assert mark.key == stored[mark.headers[REPLAYED]].key


def test_many_letters_are_replayed_in_several_transactions(
    source: KafkaTopic, letters: KafkaTopic
) -> None:
    fail(source, letters, 1001)

    assert replay(letters, source) == 1001

    assert len(replayed(source)) == 1001
    assert replay(letters, source) == 0


def at_poll(kafka: FakeKafka, number: int, action: Callable[[], None]) -> None:
    polls: list[None] = []

    def count() -> None:
        polls.append(None)
        if len(polls) == number:
            action()

    kafka.on_poll = count


def test_an_outage_within_a_replay_leaves_nothing_half_done(
    kafka: FakeKafka, source: KafkaTopic, letters: KafkaTopic
) -> None:
    names = fail(source, letters, 3)

    def go_down() -> None:
        kafka.down = True

    at_poll(kafka, 3, go_down)
    with pytest.raises(Unavailable, match="stopped answering"):
        replay(letters, source)
    kafka.down = False
    assert replayed(source) == []

    assert replay(letters, source) == 3
    assert [name for _, _, name in replayed(source)] == sorted(names)


def test_of_two_replays_at_once_the_later_one_replays(
    kafka: FakeKafka, source: KafkaTopic, letters: KafkaTopic
) -> None:
    fail(source, letters, 3)
    later: list[int] = []

    at_poll(kafka, 2, lambda: later.append(replay(letters, source)))
    with pytest.raises(Unavailable):
        replay(letters, source)

    assert later == [3]
    assert len(replayed(source)) == 3


def test_a_replay_during_an_outage_is_refused(
    kafka: FakeKafka, source: KafkaTopic, letters: KafkaTopic
) -> None:
    kafka.down = True
    with pytest.raises(Unavailable, match="does not answer"):
        replay(letters, source)
