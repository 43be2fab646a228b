"""An in-memory Kafka with records to read."""

from __future__ import annotations

import pytest

from schemas.records import Record
from tests.streaming.fake_kafka import FakeKafka
from tests.streaming.kafka_process import IN, LETTERS, OUT, PARTITIONS, topic


@pytest.fixture
def kafka() -> FakeKafka:
    kafka = FakeKafka()
    kafka.create(IN, PARTITIONS)
    kafka.create(OUT, 1)
    kafka.create(LETTERS, 1)
    topic(kafka, IN).append([Record("abcdefg"[n % 7], str(n).encode()) for n in range(30)])
    return kafka
