"""A consumer that has failed for good."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, Message

from schemas.errors import Misconfigured, Unavailable
from tests.streaming import fake_kafka
from tests.streaming.fake_kafka import FakeKafka
from tests.streaming.kafka_process import Process


def steps(process: Process) -> None:
    for _ in range(3):  # it joins again twice
        process.step()


@pytest.mark.parametrize(
    ("cause", "raised", "message"),
    [
        (KafkaError(KafkaError.FENCED_INSTANCE_ID).str(), Misconfigured, "has joined as a"),
        ("Broker: Group authorization failed", Unavailable, "Group authorization failed"),
    ],
)
def test_a_consumer_that_has_failed_for_good_ends_the_flow(
    kafka: FakeKafka,
    monkeypatch: pytest.MonkeyPatch,
    cause: str,
    raised: type[Exception],
    message: str,
) -> None:
    """It reads nothing any more, and would wait for ever for records that others handle."""
    kafka.create("lone", 1)
    process = Process(kafka, "a", "lone")
    error = KafkaError(KafkaError._FATAL, f"Fatal error: {cause}: Static consumer")
    monkeypatch.setattr(fake_kafka._Consumer, "poll", lambda *_: Message(topic="lone", error=error))
    with pytest.raises(raised, match=message):
        steps(process)
