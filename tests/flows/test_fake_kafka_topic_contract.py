"""The code for Kafka topics satisfies the contract of topics, on the in-memory Kafka."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from operators.streaming.kafka.brokers import Brokers
from schemas.settings import load_settings
from tests.flows.topic_contract import TopicContract, World
from tests.streaming.fake_kafka import FakeKafka


class TestFakeKafkaTopics(TopicContract):
    @pytest.fixture
    def worlds(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], World]:
        def create(base: Path) -> World:
            kafka = FakeKafka()
            monkeypatch.setattr("dataflows.wiring.topics.Brokers", partial(Brokers, clients=kafka))
            settings = load_settings(
                topics={"kind": "kafka", "partitions": 2},
                stream={"recovery_folder": base / "recovery", "epoch_seconds": 0.02},
            )
            topics = settings.topics
            for name in (topics.updates, topics.changes, topics.dead_letters(topics.updates)):
                kafka.create(name, 2)
            return World(settings)

        return create
