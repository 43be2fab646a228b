"""Positions: what they are positions in, and records that were deleted before they were read."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError

from operators.streaming.kafka.member import IDENTITY_SECONDS
from schemas.errors import Misconfigured
from schemas.records import Record
from tests.streaming.fake_kafka import FakeKafka
from tests.streaming.kafka_process import GROUP, Process, topic, written


@pytest.fixture
def kafka(kafka: FakeKafka) -> FakeKafka:
    """With ten records in the only partition of "lone"."""
    kafka.create("lone", 1)
    topic(kafka, "lone").append([Record("k", str(n).encode()) for n in range(10)])
    return kafka


def values(records: list[Record]) -> list[bytes]:
    return [record.value for record in records]


def test_records_deleted_while_reading_stop_the_flow(kafka: FakeKafka) -> None:
    process = Process(kafka, name="lone")
    process.step()
    topic(kafka, "lone").append([Record("k", b"") for _ in range(5)])
    kafka.delete_before("lone", 0, 12)
    with pytest.raises(Misconfigured, match=r"lone/0: records 10 to 11 \(2 records\).*resume at"):
        process.step()
    assert process.lost == {}


def test_accepted_gaps_are_counted_and_reading_goes_on(kafka: FakeKafka) -> None:
    process = Process(kafka, name="lone", accept_gaps=True)
    process.step()
    topic(kafka, "lone").append([Record("k", str(n).encode()) for n in range(10, 15)])
    kafka.delete_before("lone", 0, 12)

    process.work()

    assert process.lost == {0: 2}
    assert written(kafka)["k"] == [str(n).encode() for n in [*range(10), 12, 13, 14]]


def test_a_partition_without_a_known_leader_is_asked_for_again(kafka: FakeKafka) -> None:
    """As while a broker comes back: the consumer would not ask for minutes."""
    requests: list[str] = []
    kafka.on_request = requests.append
    kafka.errors["watermarks"].append(KafkaError(KafkaError._UNKNOWN_PARTITION))

    process = Process(kafka, name="lone")
    process.work()

    first = requests.index("watermarks")
    assert requests[first : first + 3] == ["watermarks", "list_topics", "watermarks"]
    assert written(kafka)["k"] == [str(n).encode() for n in range(10)]


def test_records_deleted_while_no_process_ran(kafka: FakeKafka) -> None:
    process = Process(kafka, name="lone")
    process.stop()
    kafka.delete_before("lone", 0, 4)
    with pytest.raises(Misconfigured, match=r"records 0 to 3 \(4 records\)"):
        Process(kafka, name="lone")
    kafka.groups.clear()
    assert Process(kafka, "b", "lone", accept_gaps=True).lost == {0: 4}


@pytest.mark.parametrize("longer", [False, True])
def test_a_topic_that_was_created_anew_is_refused(kafka: FakeKafka, longer: bool) -> None:
    process = Process(kafka, name="lone")
    process.work()
    process.stop()
    kafka.create("lone", 1)
    topic(kafka, "lone").append([Record("k", b"new") for _ in range(20 if longer else 1)])

    with pytest.raises(Misconfigured, match=f"created again.*--delete --group {GROUP}"):
        Process(kafka, name="lone")

    kafka.offsets.clear()  # as the advice says
    kafka.groups.clear()
    again = Process(kafka, "b", "lone")
    again.work()
    assert len(written(kafka)["k"]) == 10 + (20 if longer else 1)


def test_a_topic_that_is_created_anew_while_the_flow_runs(kafka: FakeKafka) -> None:
    process = Process(kafka, name="lone")
    kafka.create("lone", 1)
    topic(kafka, "lone").append([Record("k", b"new") for _ in range(20)])
    process.clock.now += IDENTITY_SECONDS
    with pytest.raises(Misconfigured, match="created again while the flow read it"):
        process.step()


def test_a_shorter_topic_that_is_created_anew_while_the_flow_runs(kafka: FakeKafka) -> None:
    """The client finds its offset gone before the topic is asked for: the cause is the same."""
    process = Process(kafka, name="lone", accept_gaps=True)
    process.step()
    kafka.create("lone", 1)
    with pytest.raises(Misconfigured, match=r"created again while the flow read it.*--delete"):
        process.step()


def test_a_topic_that_is_deleted_while_the_flow_runs(kafka: FakeKafka) -> None:
    process = Process(kafka, name="lone")
    del kafka.logs["lone"]
    process.clock.now += IDENTITY_SECONDS
    kafka.events.append(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
    with pytest.raises(Misconfigured, match="the topic lone has been deleted"):
        process.step()


def test_a_position_on_another_cluster_is_refused(kafka: FakeKafka) -> None:
    """As when the group's offsets were copied together with the topic."""
    Process(kafka, name="lone").stop()
    kafka.cluster_id = "cluster-b"
    with pytest.raises(Misconfigured, match="on Kafka cluster cluster-a, and this is cluster clu"):
        Process(kafka, name="lone")


def test_a_position_beyond_the_end_is_refused(kafka: FakeKafka) -> None:
    kafka.offsets[GROUP, "lone", 0] = (11, "")
    with pytest.raises(Misconfigured, match="lone/0 ends at 10, before offset 11"):
        Process(kafka, name="lone")


def test_a_position_set_by_another_tool_is_followed(kafka: FakeKafka) -> None:
    kafka.offsets[GROUP, "lone", 0] = (7, "")
    process = Process(kafka, name="lone")
    process.step()
    assert values(process.take()) == [b"7", b"8", b"9"]
