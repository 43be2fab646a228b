"""Outputs and progress are committed together: what aborts is written again, nothing is doubled."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

import pytest
from confluent_kafka import KafkaError, KafkaException

from operators.streaming.kafka import transactions
from operators.streaming.kafka.progress import Commit, Progress
from schemas.errors import Misconfigured, Unavailable
from schemas.records import SOURCE, Record
from tests.streaming.fake_kafka import FakeKafka
from tests.streaming.kafka_process import GROUP, OUT, Process, topic, written

TEN = {"k": [str(n).encode() for n in range(10)]}


@pytest.fixture
def kafka(kafka: FakeKafka) -> FakeKafka:
    kafka.create("lone", 1)
    topic(kafka, "lone").append([Record("k", str(n).encode()) for n in range(10)])
    return kafka


@pytest.fixture
def process(kafka: FakeKafka) -> Process:
    """With one output that waits for its transaction."""
    process = Process(kafka, name="lone", delivery_timeout_seconds=20)
    process.step()
    process.take()
    process.start()
    process.finish()
    return process


def committed(kafka: FakeKafka) -> Progress:
    return Commit.parse(*kafka.offsets[GROUP, "lone", 0]).progress


def test_outputs_have_key_value_and_headers(kafka: FakeKafka, process: Process) -> None:
    process.step()
    (record,) = topic(kafka, OUT).read(0)
    assert (record.key, record.value) == ("k", b"0")
    assert record.headers == {SOURCE: "lone/0/0"}
    assert committed(kafka) == Progress(6, (1, 2, 3, 4, 5))


def test_nothing_is_committed_for_nothing(kafka: FakeKafka, process: Process) -> None:
    process.step()
    before = kafka.offsets.copy()
    for _ in range(5):
        process.clock.now += 1.0
        process.step()
    assert kafka.offsets == before
    assert len(kafka.logs[OUT][0].entries) == 2, "a record and its transaction's marker"


def generation(kafka: FakeKafka, process: Process) -> None:
    """The group has rebalanced, and this process does not know yet."""
    kafka.groups[GROUP].generation += 1


def lost_answer(kafka: FakeKafka, process: Process) -> None:
    kafka.errors["committed_transaction"].append(KafkaError(KafkaError._TIMED_OUT))


def no_answer(kafka: FakeKafka, process: Process) -> None:
    kafka.errors["transaction"].append(KafkaError(KafkaError._TIMED_OUT))


def older_member(kafka: FakeKafka, process: Process) -> None:
    """The group has another member of this name already, as after an outage: this process itself,
    unless its consumer says otherwise."""
    kafka.errors["transaction"].append(KafkaError(KafkaError.FENCED_INSTANCE_ID))


def fenced(kafka: FakeKafka, process: Process) -> None:
    """By a process that believed this one dead."""
    kafka.producer_epochs["flow.a"] += 1


def undelivered(kafka: FakeKafka, process: Process) -> None:
    kafka.undeliverable = KafkaError(KafkaError._MSG_TIMED_OUT)

    def deliverable() -> None:
        kafka.undeliverable = None

    process.clock.while_asleep = deliverable


def fatal_error(kafka: FakeKafka, process: Process) -> None:
    def fail() -> None:
        kafka.on_poll = lambda: None
        raise KafkaException(KafkaError(KafkaError._FENCED, "fenced", fatal=True))

    kafka.on_poll = fail


TROUBLES = [generation, lost_answer, no_answer, older_member, fenced, undelivered, fatal_error]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_transaction_in_trouble_is_made_once(
    kafka: FakeKafka, process: Process, trouble: Callable[[FakeKafka, Process], None]
) -> None:
    trouble(kafka, process)
    process.step()
    process.work()
    assert written(kafka) == TEN
    assert committed(kafka) == Progress(10)


def test_a_call_of_the_client_that_never_returns_is_given_up(
    kafka: FakeKafka, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "REQUEST_SECONDS", 0.05)
    never = kafka.stuck = Event()
    process.step()
    assert written(kafka) == {}

    process.work()
    never.set()  # the call goes on with a producer that was fenced off
    process.work()

    assert written(kafka) == {"k": [str(n).encode() for n in range(10)]}


def test_an_outage_is_waited_for(kafka: FakeKafka, process: Process) -> None:
    kafka.down = True
    for _ in range(5):
        process.clock.now += 1.0
        process.step()
    assert process.member.topic.brokers.down
    kafka.down = False
    process.work()
    assert written(kafka) == TEN
    assert not process.member.topic.brokers.down


def test_an_outage_that_takes_too_long_stops_the_flow(kafka: FakeKafka, process: Process) -> None:
    kafka.down = True
    process.step()
    process.clock.now += 21
    with pytest.raises(Unavailable, match="no transaction succeeded for 21 s"):
        process.step()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (KafkaError.MSG_SIZE_TOO_LARGE, "larger than its topic accepts.*max.message.bytes"),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, "refuses"),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, "has been deleted"),
    ],
)
def test_what_no_retry_can_write_stops_the_flow(
    kafka: FakeKafka, process: Process, code: int, message: str
) -> None:
    kafka.undeliverable = KafkaError(code)
    with pytest.raises(Misconfigured, match=message):
        process.step()
    assert not kafka.open_transactions, "it would hide what others write"


def test_an_end_in_an_outage_commits_nothing(kafka: FakeKafka, process: Process) -> None:
    kafka.down = True
    with pytest.raises(Unavailable, match="handled after the next start"):
        process.stop()
    kafka.down = False
    kafka.expire(GROUP, "a")
    Process(kafka, "b", "lone").work()
    assert written(kafka) == TEN
