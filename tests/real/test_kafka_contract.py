"""Kafka topics keep what every kind of topic promises."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flows.topic_contract import TopicContract, World
from kafka_flows import KafkaFlows
from real_servers import RealKafka

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]


class TestKafkaTopics(TopicContract):
    @pytest.fixture
    def worlds(self, kafka: RealKafka) -> Callable[[Path], World]:
        def made(base: Path) -> World:
            flows = KafkaFlows(kafka.brokers, base)
            flows.create()
            return World(flows.settings())

        return made
