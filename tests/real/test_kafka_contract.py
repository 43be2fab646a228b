"""Kafka topics satisfy the contract of topics."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flows.topic_contract import TopicContract, World
from tests.real.kafka_flows import KafkaFlows
from tests.real.real_servers import RealKafka

pytestmark = pytest.mark.services


class TestKafkaTopics(TopicContract):
    @pytest.fixture
    def worlds(self, kafka: RealKafka) -> Callable[[Path], World]:
        def made(base: Path) -> World:
            flows = KafkaFlows(kafka.brokers, base)
            flows.create()
            return World(flows.settings())

        return made
