"""A record that kills each process that calls it ends as a dead letter, and holds up no other."""

from __future__ import annotations

from collections.abc import Collection
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.streaming.engine.call_policy import DEATHS, TRIALS
from operators.streaming.engine.gate import Gate
from operators.streaming.kafka.inputs import Inputs
from operators.streaming.kafka.rules import ReadState
from operators.streaming.kafka.suspects import LEAD, NO_SUSPECTS, SHORT_LEAD, Suspects
from schemas.errors import KilledProcess
from schemas.records import Position, Record
from tests.streaming.fake_kafka import FakeKafka
from tests.streaming.kafka_process import GROUP, IN, LETTERS, OUT, Process, topic, written

KEYS = "abcdefghij"


def value(record: Record) -> int:
    return int(record.value)


def empty_kafka() -> FakeKafka:
    kafka = FakeKafka()
    for name, partitions in ((IN, 3), (OUT, 2), (LETTERS, 1)):
        kafka.create(name, partitions)
    return kafka


@pytest.fixture
def kafka() -> FakeKafka:
    """Without records."""
    return empty_kafka()


def run_to_the_end(kafka: FakeKafka, killers: Collection[int]) -> int:
    """Start processes one after another until one has handled everything; how many died."""
    for deaths in count():
        process = Process(kafka, f"p{deaths}")
        idle = 0
        while idle < 10:
            before = process.outputs
            process.clock.now += 1.0
            process.step()
            process.take()
            while process.called and not any(value(r) in killers for r in process.started):
                process.start(value(process.called[0]))
                if not any(value(r) in killers for r in process.started):
                    process.finish()
            if process.started:
                break
            idle = idle + 1 if process.outputs == before else 0
        if not process.started:
            process.stop()
            return deaths
        kafka.expire(GROUP, process.instance)
        assert deaths < 100, "it would go on for ever"
    raise AssertionError


def feed(kafka: FakeKafka, records: int, first: int = 0) -> dict[str, list[bytes]]:
    sent: dict[str, list[bytes]] = {}
    for number in range(first, first + records):
        key = KEYS[number % len(KEYS)]
        sent.setdefault(key, []).append(str(number).encode())
        topic(kafka, IN).append([Record(key, str(number).encode())])
    return sent


@settings(max_examples=60, deadline=None)
@given(records=st.integers(1, 80), killers=st.sets(st.integers(0, 79), max_size=3))
def test_only_the_killers_become_letters(records: int, killers: set[int]) -> None:
    kafka = empty_kafka()
    sent = feed(kafka, records)
    killers = {killer for killer in killers if killer < records}

    deaths = run_to_the_end(kafka, killers)

    letters = {int(v) for values in written(kafka, LETTERS).values() for v in values}
    assert letters == killers
    found = written(kafka)
    for key, values in sent.items():
        assert found[key] == [v for v in values if int(v) not in killers]
    assert deaths <= len(killers) * (DEATHS + TRIALS)


def test_a_killer_among_many_costs_seven_processes(kafka: FakeKafka) -> None:
    feed(kafka, 2000)
    assert run_to_the_end(kafka, {666}) == DEATHS + TRIALS


def test_one_death_leaves_no_trials(kafka: FakeKafka) -> None:
    feed(kafka, 30)
    first = Process(kafka, "a")
    first.step()
    first.take()
    kafka.expire(GROUP, "a")
    second = Process(kafka, "b")
    second.step()
    assert len(second.take()) == 6, "as many as the gate has room for"


def test_a_process_that_lost_its_partitions_and_lives_has_not_died(kafka: FakeKafka) -> None:
    feed(kafka, 30)
    process = Process(kafka, "a")
    for _ in range(5):
        kafka.expire(GROUP, "a")
        process.step()
        process.step()
    process.take()
    assert len(process.called) == 6


def test_idle_partitions_are_not_suspected(kafka: FakeKafka) -> None:
    for name in "abcd":
        process = Process(kafka, name)
        process.step()
        kafka.expire(GROUP, name)
    feed(kafka, 30)
    process = Process(kafka, "e")
    process.step()
    process.take()
    assert len(process.called) == 6
    assert process.deaths == 3, "they are counted: one for each partition"


def test_the_letter_states_how_often_the_process_died() -> None:
    inputs = Inputs(Gate(10))
    inputs.assign(0, ReadState(3, 3), Suspects(deaths=7, until=16, trial=3, trials=TRIALS))
    inputs.committed([], [0])
    inputs.append(0, Record("a", b"3", position=Position(IN, 0, 3)))
    inputs.prepare()
    (killer,) = inputs.take()
    with pytest.raises(KilledProcess, match="died 7 times in a row, 5 times while") as raised:
        inputs.start(killer)
    assert raised.value.attempts == 7


def isolated(kafka: FakeKafka) -> Process:
    """A process whose partitions' owners died twice while it was fed."""
    feed(kafka, 30)
    for name in "ab":
        process = Process(kafka, name)
        process.step()
        process.take()
        kafka.expire(GROUP, name)
    return Process(kafka, "c")


def test_a_suspect_is_not_emitted_before_a_commit_announces_it(kafka: FakeKafka) -> None:
    process = isolated(kafka)
    for _ in range(3):
        process.step()
    (first,) = process.take()
    process.start()
    process.finish()
    assert process.take() == []
    process.step()
    (second,) = process.take()
    assert second != first


def test_the_record_of_the_last_death_comes_first_and_alone(kafka: FakeKafka) -> None:
    process = isolated(kafka)
    for _ in range(3):
        process.step()
    (suspect,) = process.take()
    process.start()
    kafka.expire(GROUP, "c")
    again = Process(kafka, "d")
    for _ in range(3):
        again.step()
    assert again.take() == [suspect]


def test_a_partition_that_is_given_back_is_not_tried(kafka: FakeKafka) -> None:
    process = isolated(kafka)
    process.inputs.close(process.inputs.assigned)
    process.step()
    assert process.take() == []
    assert not process.inputs.needs_commit


@pytest.mark.parametrize("deaths", [0, 1])
def test_how_far_an_owner_goes_beyond_its_last_commit(deaths: int) -> None:
    suspects = NO_SUSPECTS
    for _ in range(deaths):
        suspects = suspects.after_death(0, 10_000)
    assert suspects.lead == [LEAD, SHORT_LEAD][deaths]
    assert suspects.after_death(100, 10_000).until == 100 + suspects.lead
    assert suspects.after_death(100, 105).until == 105, "no later record has been called"


def test_a_release_in_order_during_a_trial_is_no_death() -> None:
    suspects = NO_SUSPECTS
    for _ in range(DEATHS):
        suspects = suspects.after_death(0, 100)
    assert suspects.try_alone(3).released() == suspects
    for _ in range(TRIALS - 1):
        suspects = suspects.try_alone(3)
    assert suspects.try_alone(3).released() == suspects
