"""A process that leaves the group while Kafka assigns partitions to it."""

from __future__ import annotations

from threading import Event

from confluent_kafka import KafkaError

from schemas.records import Record
from tests.streaming.fake_kafka import FakeKafka
from tests.streaming.kafka_process import GROUP, Process, topic, written


def test_a_process_that_is_stopped_before_it_could_take_its_partitions_takes_none(
    kafka: FakeKafka,
) -> None:
    """As when the brokers answer again, but the partitions have no leader yet."""
    kafka.create("lone", 1)
    topic(kafka, "lone").append([Record("k", str(n).encode()) for n in range(10)])
    Process(kafka, "a", "lone")
    kafka.expire(GROUP, "a")
    claim, asked = kafka.offsets[GROUP, "lone", 0], Event()
    kafka.on_request = lambda request: asked.set() if request == "watermarks" else None
    kafka.errors["watermarks"].extend([KafkaError(KafkaError._UNKNOWN_PARTITION)] * 1000)

    process = Process(kafka, "b", "lone", in_thread=True, timeout_seconds=0.01)
    assert asked.wait(10)
    process.stop()

    assert kafka.offsets[GROUP, "lone", 0] == claim
    assert kafka.groups[GROUP].members == {}
    kafka.errors["watermarks"].clear()
    Process(kafka, "c", "lone").work()
    assert written(kafka) == {"k": [str(n).encode() for n in range(10)]}
