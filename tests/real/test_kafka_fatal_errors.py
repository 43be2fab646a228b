"""Fatal errors of the real client: a producer that another one has fenced off."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException, Message

from tests.real.kafka_flows import KafkaFlows
from tests.real.real_servers import RealKafka

pytestmark = [pytest.mark.services, pytest.mark.timeout(120)]


@pytest.mark.parametrize("begun", [True, False], ids=["in its transaction", "before it"])
def test_a_fenced_producer_fails_with_a_kafka_exception(
    kafka: RealKafka, tmp_path: Path, begun: bool
) -> None:
    """Ten times, for the client fails differently when the interpreter has optimised a report."""
    flows = KafkaFlows(kafka.brokers, tmp_path)
    flows.create()
    topic = flows.topic("updates")
    brokers = topic.brokers
    reports: list[KafkaError | None] = []

    def report(error: KafkaError | None, message: Message[bytes, bytes]) -> None:
        if error is not None and error.code() != KafkaError._MSG_TIMED_OUT:
            reports.append(error)

    for _ in range(10):
        name = uuid.uuid4().hex
        first = brokers.transactional_producer(name, 10.0, on_delivery=report)
        first.begin_transaction()
        if not begun:
            first.commit_transaction(10.0)
        brokers.transactional_producer(name, 10.0)
        if not begun:
            first.begin_transaction()
        for n in range(50):
            first.produce(topic.name, str(n).encode())
        with pytest.raises(KafkaException) as raised:
            first.flush(10.0)
        assert raised.value.args[0].fatal()
    assert reports
