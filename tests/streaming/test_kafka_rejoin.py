"""A process that its own late join has fenced off joins again; nothing is lost or doubled."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from confluent_kafka import KafkaError, Message

from schemas.errors import Misconfigured
from schemas.records import Record
from tests.streaming.fake_kafka import FakeKafka, _Consumer
from tests.streaming.kafka_process import GROUP, Process, topic, written

IN, PARTITIONS = "words", 3
EXPECTED = {f"k{n}": [b"0", b"1", b"2", b"3"] for n in range(6)}


@pytest.fixture
def process(kafka: FakeKafka) -> Process:
    kafka.create(IN, PARTITIONS)
    made = Process(kafka, "a", IN)
    feed(kafka, 0, 1)
    made.step()
    return made


def feed(kafka: FakeKafka, *values: int) -> None:
    topic(kafka, IN).append(Record(key, str(n).encode()) for n in values for key in EXPECTED)


def in_turn(*processes: Process) -> None:
    for _ in range(5):
        for process in processes:
            process.step()


def idle(process: Process) -> None:
    process.work()


def taken(process: Process) -> None:
    process.take()


def started(process: Process) -> None:
    process.take()
    for _ in range(3):
        process.start()


def handled(process: Process) -> None:
    """Outputs are waiting for their transaction, which the group refuses."""
    process.take()
    for _ in range(3):
        process.start()
        process.finish()


@pytest.mark.parametrize("stage", [idle, taken, started, handled])
def test_it_goes_on(kafka: FakeKafka, process: Process, stage: Callable[[Process], None]) -> None:
    stage(process)
    for _ in range(2):
        kafka.join_late(GROUP, "a")
        process.step()
    feed(kafka, 2, 3)
    process.work()

    assert written(kafka) == EXPECTED
    assert len(process.inputs.assigned) == PARTITIONS
    assert process.deaths == 0, "it did not die: no record is suspected"
    process.stop()
    assert kafka.groups[GROUP].members == {}


def test_its_client_says_so_in_words(
    kafka: FakeKafka, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka.join_late(GROUP, "a")
    cause = KafkaError(KafkaError.FENCED_INSTANCE_ID).str()
    error = KafkaError(KafkaError._FATAL, f"Fatal error: {cause}: Static consumer")
    with monkeypatch.context() as patch:
        patch.setattr(_Consumer, "poll", lambda *_: Message(topic=IN, error=error))
        process.step()
    feed(kafka, 2, 3)
    process.work()

    assert written(kafka) == EXPECTED


def test_it_may_happen_again_later(kafka: FakeKafka, process: Process) -> None:
    for _ in range(5):
        kafka.join_late(GROUP, "a")
        process.step()
        process.clock.now += 60
    feed(kafka, 2, 3)
    process.work()

    assert written(kafka) == EXPECTED


def test_of_two_processes_with_one_name_the_later_goes_on(
    kafka: FakeKafka, process: Process
) -> None:
    second = Process(kafka, "a", IN)
    with pytest.raises(Misconfigured, match=r"another process has joined as a: .*stream\.instance"):
        in_turn(process, second)
    feed(kafka, 2, 3)
    second.work()

    assert written(kafka) == EXPECTED
