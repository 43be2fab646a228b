"""Positions of a flow that does not run: rewound to a time, or past one record."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from confluent_kafka import KafkaError

from operators.streaming.kafka.progress import MOST_PENDING, Commit, Progress
from operators.streaming.kafka.reservation import Reservation
from operators.streaming.kafka.stopped_group import StoppedGroup, rewind, skip
from schemas.errors import Misconfigured
from schemas.records import Record
from tests.streaming.fake_kafka import FakeKafka
from tests.streaming.kafka_process import GROUP, IN, LETTERS, OUT, Process, topic, written

RECORDS = 10


@pytest.fixture
def kafka() -> FakeKafka:
    """One partition with a record a second from second 100 on."""
    kafka = FakeKafka()
    for name in (IN, OUT, LETTERS):
        kafka.create(name, 1)
    for number in range(RECORDS):
        kafka.time_ms = (100 + number) * 1000
        topic(kafka, IN).append([Record("ab"[number % 2], str(number).encode())])
    return kafka


@pytest.fixture
def group(kafka: FakeKafka) -> Iterator[StoppedGroup]:
    group = StoppedGroup(topic(kafka, IN), GROUP)
    yield group
    group.close()


def second(number: float) -> datetime:
    return datetime.fromtimestamp(number, UTC)


def run(kafka: FakeKafka) -> list[int]:
    """What a flow handles from where it is."""
    before = {key: len(values) for key, values in written(kafka).items()}
    process = Process(kafka)
    process.work()
    process.stop()
    after = written(kafka)
    return sorted(int(v) for key, values in after.items() for v in values[before.get(key, 0) :])


def position(kafka: FakeKafka) -> Progress:
    return Commit.parse(*kafka.offsets[GROUP, IN, 0]).progress


def test_everything_since_a_time_is_handled_again(kafka: FakeKafka, group: StoppedGroup) -> None:
    assert run(kafka) == list(range(RECORDS))
    assert rewind(group, second(106.5)) == {0: 3}
    assert run(kafka) == [7, 8, 9]


def test_a_time_after_the_last_record_changes_nothing(
    kafka: FakeKafka, group: StoppedGroup
) -> None:
    run(kafka)
    assert rewind(group, second(1000)) == {}
    assert run(kafka) == []


def test_what_is_pending_before_the_time_stays_pending(
    kafka: FakeKafka, group: StoppedGroup
) -> None:
    group.commit({0: Commit(Progress(8, (1, 6)))})
    assert rewind(group, second(104)) == {0: 4}
    assert position(kafka) == Progress(4, (1,))
    assert run(kafka) == [1, *range(4, RECORDS)]


@pytest.mark.parametrize(
    ("before", "offset", "after"),
    [
        (Progress(5), 5, Progress(6)),
        (Progress(5, (2, 4)), 4, Progress(5, (2,))),
        (Progress(5), 7, Progress(8, (5, 6))),
        (Progress(5, (2,)), 6, Progress(7, (2, 5))),
    ],
    ids=["the next", "one in flight", "a later one", "one beyond what is in flight"],
)
def test_one_record_is_skipped(
    kafka: FakeKafka, group: StoppedGroup, before: Progress, offset: int, after: Progress
) -> None:
    group.commit({0: Commit(before)})
    kept: list[int] = []
    skip(group, 0, offset, keep=lambda: kept.append(offset))
    assert (position(kafka), kept) == (after, [offset])
    left = [*before.pending, *range(before.position, RECORDS)]
    assert run(kafka) == [number for number in left if number != offset]


@pytest.mark.parametrize(
    ("partition", "offset", "message"),
    [
        (0, 3, "in/0/3 has been handled already"),
        (1, 3, "in has no partition 1"),
        (0, 5 + MOST_PENDING + 1, "401 records ahead of the flow"),
    ],
)
def test_what_cannot_be_skipped(
    kafka: FakeKafka, group: StoppedGroup, partition: int, offset: int, message: str
) -> None:
    group.commit({0: Commit(Progress(5))})
    with pytest.raises(Misconfigured, match=message):
        skip(group, partition, offset, keep=lambda: pytest.fail("kept"))
    assert position(kafka) == Progress(5)


def test_nothing_is_kept_while_the_flow_runs(kafka: FakeKafka, group: StoppedGroup) -> None:
    Process(kafka)
    with pytest.raises(Misconfigured, match="a process of the flow is running: stop it first"):
        skip(group, 0, 5, keep=lambda: pytest.fail("kept"))
    with pytest.raises(Misconfigured, match="a process of the flow is running: stop it first"):
        group.commit({0: Commit(Progress(0))})


def test_a_process_that_is_just_leaving_is_waited_for(
    kafka: FakeKafka, group: StoppedGroup
) -> None:
    kafka.errors["commit"].append(KafkaError(KafkaError.UNKNOWN_MEMBER_ID))
    group.commit({0: Commit(Progress(5))})
    assert position(kafka) == Progress(5)


def test_a_job_in_the_flows_place_keeps_its_positions(
    kafka: FakeKafka, group: StoppedGroup
) -> None:
    group.commit({0: Commit(Progress(5))})
    Reservation(topic(kafka, IN), GROUP, "a job").make()
    for move in (
        lambda: rewind(group, second(0)),
        lambda: skip(group, 0, 5, keep=lambda: None),
    ):
        with pytest.raises(Misconfigured, match="a job works in the flow's place"):
            move()
