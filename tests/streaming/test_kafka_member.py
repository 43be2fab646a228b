"""A process in the consumer group: what it reads, when it ends, and how partitions come and go."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError
from structlog.testing import capture_logs

from operators.streaming.kafka import inputs
from operators.streaming.kafka.member import CANCEL_SECONDS
from operators.streaming.kafka.progress import Commit, Progress
from schemas.errors import Misconfigured, Unavailable
from schemas.records import Record
from tests.streaming.fake_kafka import Entry, FakeKafka
from tests.streaming.kafka_process import GROUP, Process, topic, written


@pytest.fixture
def kafka(kafka: FakeKafka) -> FakeKafka:
    """With ten records in the only partition of "lone"."""
    kafka.create("lone", 1)
    topic(kafka, "lone").append([Record("k", str(n).encode()) for n in range(10)])
    return kafka


def committed(kafka: FakeKafka, name: str = "lone", partition: int = 0) -> Commit:
    return Commit.parse(*kafka.offsets[GROUP, name, partition])


def values(records: list[Record]) -> list[bytes]:
    return [record.value for record in records]


def test_records_are_read_from_the_first_there_is(kafka: FakeKafka) -> None:
    kafka.delete_before("lone", 0, 4)
    process = Process(kafka, name="lone")
    process.step()
    assert values(process.take()) == [b"4", b"5", b"6", b"7", b"8", b"9"]


def test_a_partition_is_claimed_before_it_is_read(kafka: FakeKafka) -> None:
    Process(kafka, "host-0", "lone")
    claim = committed(kafka)
    assert (claim.owner, claim.ended, claim.progress) == ("flow.host-0", False, Progress(0))


def test_an_orderly_end_leaves_what_was_not_called(kafka: FakeKafka) -> None:
    process = Process(kafka, name="lone")
    process.step()
    process.take()
    process.start()
    process.finish()
    process.stop()

    left = committed(kafka)
    assert left.ended
    assert left.progress == Progress(6, (1, 2, 3, 4, 5))
    assert kafka.groups[GROUP].members == {}
    assert kafka.open_consumers == 0
    following = Process(kafka, "b", "lone")
    following.step()
    assert values(following.take()) == [b"1", b"2", b"3", b"4", b"5", b"6"]


def test_calls_in_progress_are_awaited_when_a_partition_moves(kafka: FakeKafka) -> None:
    first = Process(kafka, "a")
    first.step()
    first.take()
    for _ in range(6):
        first.start()
    first.clock.while_asleep = first.finish
    Process(kafka, "b")

    first.step()

    (moved,) = {0, 1, 2} - set(first.inputs.assigned)
    assert committed(kafka, "in", moved).progress.pending == ()
    assert committed(kafka, "in", moved).ended


def test_a_call_that_takes_longer_is_cancelled_and_made_by_the_next_owner(
    kafka: FakeKafka,
) -> None:
    first = Process(kafka, "a", "lone", drain_seconds=2)
    first.step()
    first.take()
    first.start()
    before = first.clock.now
    kafka.groups[GROUP].targets = {("lone", 0): "b"}

    first.step()

    assert first.started == []
    assert 2.0 <= first.clock.now - before < 2.0 + CANCEL_SECONDS
    assert committed(kafka).progress.committed == 0
    assert committed(kafka).ended


def test_a_lost_partition_is_not_committed(kafka: FakeKafka) -> None:
    """As after a suspension: the group has given it away."""
    process = Process(kafka, "a", "lone")
    process.step()
    process.take()
    process.start()
    process.finish()
    kafka.expire(GROUP, "a")
    kafka.groups[GROUP].generation += 1

    process.step()

    assert written(kafka) == {}
    process.work()
    assert written(kafka) == {"k": [str(n).encode() for n in range(10)]}, "once it has it again"


def test_a_member_that_the_group_drops_during_the_assignment_joins_again(
    kafka: FakeKafka,
) -> None:
    """As when the broker resumes after it hung for longer than the session timeout."""
    dropped: list[str] = []

    def drop(request: str) -> None:
        if request == "transaction" and not dropped:
            dropped.append(request)
            kafka.expire(GROUP, "a")
            kafka.groups[GROUP].generation += 1

    kafka.on_request = drop
    process = Process(kafka, "a", "lone")
    assert process.take() == [], "not claimed"
    process.work()

    assert dropped
    assert written(kafka) == {"k": [str(n).encode() for n in range(10)]}


def test_an_end_that_loses_its_partitions_reports_outputs_that_are_not_committed(
    kafka: FakeKafka,
) -> None:
    """As when the brokers go down with a flow that is stopped."""
    process = Process(kafka, "a", "lone")
    process.step()
    process.take()
    process.start()
    process.finish()
    kafka.errors["transaction"].extend([KafkaError(KafkaError._TIMED_OUT)] * 1000)
    kafka.expire(GROUP, "a")

    with pytest.raises(Unavailable, match="handled after the next start"):
        process.stop()

    kafka.errors["transaction"].clear()
    Process(kafka, "b", "lone").work()
    assert written(kafka) == {"k": [str(n).encode() for n in range(10)]}


def test_an_orderly_end_without_a_last_commit_is_no_failure_when_nothing_was_handled(
    kafka: FakeKafka,
) -> None:
    process = Process(kafka, "a", "lone")
    kafka.errors["transaction"].extend([KafkaError(KafkaError.UNKNOWN_MEMBER_ID)] * 1000)
    process.stop()
    kafka.errors["transaction"].clear()

    following = Process(kafka, "b", "lone")
    following.work()
    assert written(kafka) == {"k": [str(n).encode() for n in range(10)]}


def test_a_killed_owner_is_fenced_off(kafka: FakeKafka) -> None:
    Process(kafka, "a", "lone")
    kafka.expire(GROUP, "a")
    epoch = kafka.producer_epochs["flow.a"]
    Process(kafka, "b", "lone")
    assert kafka.producer_epochs["flow.a"] == epoch + 1


def test_an_owner_that_released_its_partitions_is_not_fenced_off(kafka: FakeKafka) -> None:
    Process(kafka, "a", "lone").stop()
    epoch = kafka.producer_epochs["flow.a"]
    Process(kafka, "b", "lone")
    assert kafka.producer_epochs["flow.a"] == epoch


def test_new_partitions_are_read(kafka: FakeKafka) -> None:
    process = Process(kafka, name="lone")
    kafka.add_partitions("lone", 2)
    kafka.logs["lone"][2].entries.append(Entry(b"new", b"1"))
    process.work()
    assert process.inputs.assigned == [0, 1, 2]
    assert written(kafka)["new"] == [b"1"]


def test_a_run_to_the_end_ends_when_everything_was_handled(kafka: FakeKafka) -> None:
    process = Process(kafka, name="lone")
    process.member.end_at({0: 10})
    process.step()
    assert not process.member.at_end
    process.work()
    assert process.member.at_end


def test_a_run_to_the_end_waits_for_the_partitions_of_others(kafka: FakeKafka) -> None:
    first, second = Process(kafka, "a"), Process(kafka, "b")
    ends = topic(kafka, "in").end_offsets()
    for process in (first, second):
        process.member.end_at(ends)
        process.step()
    first.step()
    second.step()
    assert first.inputs.assigned
    assert second.inputs.assigned

    first.work()
    assert not first.member.at_end
    second.work()
    first.work()

    assert first.member.at_end
    assert second.member.at_end


def test_a_member_polls_while_the_engine_takes_nothing(
    kafka: FakeKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the group would take its partitions away; it pauses them instead."""
    monkeypatch.setattr(inputs, "READ_AHEAD_RECORDS", 8)
    process = Process(kafka, name="lone")
    process.step()
    process.step()
    topic(kafka, "lone").append([Record("k", str(n).encode()) for n in range(10, 30)])
    for _ in range(5):
        process.clock.now += 1.0
        process.step()
    read = process.inputs._read_records

    Process(kafka, "b", "lone")  # joins, and the first one notices
    for _ in range(3):
        process.step()

    assert read == process.inputs._read_records <= 11, "the ten, and that the end was reached"
    process.work()
    assert len(written(kafka)["k"]) == 30


def test_the_lag_is_what_was_not_emitted(kafka: FakeKafka) -> None:
    process = Process(kafka, name="lone")
    process.step()
    process.take()
    process.clock.now += 1.0
    process.step()
    assert process.lag == {0: 4}
    process.stop()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, "refuses"),
        (KafkaError.INCONSISTENT_GROUP_PROTOCOL, "group_protocol"),
    ],
)
def test_errors_that_no_retry_removes_stop_the_flow(
    kafka: FakeKafka, code: int, message: str
) -> None:
    process = Process(kafka, name="lone")
    kafka.events.append(KafkaError(code))
    with pytest.raises(Misconfigured, match=message):
        process.step()


def test_other_errors_are_logged_and_retried_by_the_client(kafka: FakeKafka) -> None:
    process = Process(kafka, name="lone")
    kafka.events.append(KafkaError(KafkaError._TRANSPORT))
    with capture_logs() as logs:
        process.step()
    assert "kafka consumer" in [line["event"] for line in logs]
    process.work()
    assert len(written(kafka)["k"]) == 10
