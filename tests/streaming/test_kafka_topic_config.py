"""Which configuration of Kafka's topics is reported, and with which one no flow starts."""

from __future__ import annotations

import pytest

from operators.streaming.kafka.admin import (
    create_topics,
    topic_differences,
    unsafe_topics,
    wanted_topics,
)
from operators.streaming.kafka.brokers import Brokers
from schemas.settings import TopicSettings
from tests.streaming.fake_kafka import FakeKafka

TOPICS = TopicSettings.model_validate({"kind": "kafka", "kafka": {"replication": 1}})
WANTED = wanted_topics(TOPICS)
HOUR = 3_600_000


@pytest.fixture
def kafka() -> FakeKafka:
    """A cluster with the topics as they are created."""
    cluster = FakeKafka()
    create_topics(Brokers(TOPICS, cluster), WANTED)
    return cluster


def differences(kafka: FakeKafka) -> list[str]:
    return topic_differences(Brokers(TOPICS, kafka), WANTED)


def refusals(kafka: FakeKafka) -> list[str]:
    return unsafe_topics(Brokers(TOPICS, kafka), WANTED)


def test_created_topics_are_good_enough(kafka: FakeKafka) -> None:
    assert (differences(kafka), refusals(kafka)) == ([], [])


@pytest.mark.parametrize(
    ("topic", "setting", "value"),
    [
        ("looks.generated", "max.message.bytes", str(16 * 2**20)),
        ("looks.generated", "retention.ms", str(1000 * HOUR)),
        ("looks.generated", "retention.ms", "-1"),
        ("catalog.changes", "min.compaction.lag.ms", str(1000 * HOUR)),
    ],
)
def test_more_than_wanted_is_good_enough(
    kafka: FakeKafka, topic: str, setting: str, value: str
) -> None:
    kafka.topic_configs[topic][setting] = value
    assert (differences(kafka), refusals(kafka)) == ([], [])


@pytest.mark.parametrize(
    ("topic", "setting", "value", "refused"),
    [
        ("catalog.updates", "unclean.leader.election.enable", "true", True),
        ("catalog.updates", "min.insync.replicas", "0", True),
        ("catalog.updates", "cleanup.policy", "compact", True),
        ("looks.generated", "cleanup.policy", "compact,delete", True),
        ("looks.matched", "max.message.bytes", "1048588", True),
        ("looks.generated.dlq", "max.message.bytes", str(8 * 2**20), True),
        ("catalog.changes", "cleanup.policy", "delete", False),
        ("catalog.changes", "cleanup.policy", "compact,delete", False),
        ("catalog.changes", "min.compaction.lag.ms", "0", False),
        ("looks.generated", "retention.ms", str(HOUR), False),
        ("looks.generated", "retention.bytes", "1000000", False),
    ],
)
def test_less_than_wanted_is_reported_and_refused_where_records_would_be_lost(
    kafka: FakeKafka, topic: str, setting: str, value: str, refused: bool
) -> None:
    kafka.topic_configs[topic][setting] = value
    (reported,) = differences(kafka)
    assert reported.startswith(f"{topic}: {setting} is {value}, should be ")
    assert f"--alter --topic {topic} --add-config {setting}=" in reported
    assert [refusal.startswith(reported) for refusal in refusals(kafka)] == [True] * refused


def test_more_copies_in_sync_than_there_are_is_reported(kafka: FakeKafka) -> None:
    kafka.topic_configs["looks.matched"]["min.insync.replicas"] = "2"
    (reported,) = differences(kafka)
    assert "nothing can be written" in reported
