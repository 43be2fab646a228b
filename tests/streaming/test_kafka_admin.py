"""Kafka's topics: required by the settings, created, and compared with them."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from confluent_kafka import KafkaError

from operators.streaming.kafka.admin import (
    create_topics,
    existing_topics,
    topic_differences,
    wanted_topics,
)
from operators.streaming.kafka.brokers import Brokers
from schemas.errors import Misconfigured, Unavailable
from schemas.settings import KafkaSettings, TopicSettings
from tests.streaming.fake_kafka import FakeKafka

HOUR_MS = 3_600_000


def settings(partitions: int = 4, **kafka: Any) -> TopicSettings:
    return TopicSettings(partitions=partitions, kafka=KafkaSettings(**kafka))


@pytest.fixture
def kafka() -> FakeKafka:
    return FakeKafka()


def test_the_flows_topics_and_their_dead_letters_are_wanted() -> None:
    wanted = wanted_topics(settings(5))
    assert {topic.name for topic in wanted} == {
        "catalog.updates",
        "catalog.changes",
        "looks.generated",
        "looks.matched",
        "interactions",
        "catalog.updates.dlq",
        "looks.generated.dlq",
    }
    assert {topic.partitions for topic in wanted} == {5}


def config_of(name: str, **kafka: Any) -> dict[str, str]:
    return next(t.config for t in wanted_topics(settings(**kafka)) if t.name == name)


@pytest.mark.parametrize(("replication", "in_sync"), [(1, "1"), (2, "2"), (3, "2"), (5, "2")])
def test_a_record_is_durable_on_two_replicas(replication: int, in_sync: str) -> None:
    for topic in wanted_topics(settings(replication=replication)):
        assert topic.config["min.insync.replicas"] == in_sync


def test_records_are_kept_for_the_retention_time() -> None:
    looks = config_of("looks.generated", retention_hours=48)
    assert (looks["cleanup.policy"], looks["retention.ms"]) == ("delete", str(48 * HOUR_MS))
    letters = config_of("looks.generated.dlq", dead_letter_retention_hours=72)
    assert (letters["cleanup.policy"], letters["retention.ms"]) == ("delete", str(72 * HOUR_MS))


def test_the_latest_change_of_each_product_is_kept_for_ever() -> None:
    changes = config_of("catalog.changes", retention_hours=0.5)
    assert changes["cleanup.policy"] == "compact"
    assert changes["min.compaction.lag.ms"] == str(HOUR_MS // 2)
    assert "retention.ms" not in changes


def test_a_dead_letter_of_the_largest_record_fits() -> None:
    """A letter's headers have at most a few thousand characters."""
    largest = 2**20
    for name in ("catalog.updates", "catalog.changes", "looks.generated", "looks.matched"):
        assert config_of(name, max_record_bytes=largest)["max.message.bytes"] == str(largest)
    for name in ("catalog.updates.dlq", "looks.generated.dlq"):
        letter = int(config_of(name, max_record_bytes=largest)["max.message.bytes"])
        assert largest + 4 * 4_000 < letter <= largest + 100_000


def test_created_topics_are_as_wanted(kafka: FakeKafka) -> None:
    topics = settings(replication=2)
    brokers, wanted = Brokers(topics, kafka), wanted_topics(topics)
    assert len(topic_differences(brokers, wanted)) == len(wanted)
    assert topic_differences(brokers, wanted)[0] == (
        "catalog.updates: missing; run `looksync topics create`"
    )

    create_topics(brokers, wanted)

    assert topic_differences(brokers, wanted) == []
    assert existing_topics(brokers) == {topic.name: (4, 2) for topic in wanted}


def test_nothing_to_create_asks_nothing(kafka: FakeKafka) -> None:
    kafka.down = True
    create_topics(Brokers(settings(), kafka), [])


def test_a_topic_that_another_command_creates_is_waited_for(kafka: FakeKafka) -> None:
    """Likewise when the client asks again because the broker's answer came late."""
    topics = settings(replication=2)
    brokers, wanted = Brokers(topics, kafka), wanted_topics(topics)
    kafka.errors["create_topics"].append(KafkaError(KafkaError.TOPIC_ALREADY_EXISTS, "there"))
    listed = count(1)

    def create_late(request: str) -> None:
        if request == "list_topics" and next(listed) == 3:
            kafka.create(wanted[0].name, 4)

    kafka.on_request = create_late

    create_topics(brokers, wanted)

    assert set(existing_topics(brokers)) == {topic.name for topic in wanted}


def test_differences_say_what_to_change(kafka: FakeKafka) -> None:
    created = settings(partitions=4, replication=2)
    create_topics(Brokers(created, kafka), wanted_topics(created))
    changed = settings(partitions=6, replication=3, retention_hours=1000)
    wanted = [t for t in wanted_topics(changed) if t.name == "looks.matched"]

    assert topic_differences(Brokers(changed, kafka), wanted) == [
        "looks.matched: 4 partitions, topics.partitions = 6; adding partitions moves keys, so do "
        "it only while the flows are stopped and have read everything",
        "looks.matched: 2 replicas of a partition, topics.kafka.replication = 3",
        f"looks.matched: retention.ms is {168 * HOUR_MS}, should be {1000 * HOUR_MS}; "
        "kafka-configs.sh --alter --topic looks.matched "
        f"--add-config retention.ms={1000 * HOUR_MS}",
    ]


def test_more_replicas_than_wanted_are_no_difference(kafka: FakeKafka) -> None:
    created = settings(replication=3)
    create_topics(Brokers(created, kafka), wanted_topics(created))
    fewer = settings(replication=2)
    assert topic_differences(Brokers(fewer, kafka), wanted_topics(fewer)) == []


def test_a_topic_without_partitions_does_not_exist(kafka: FakeKafka) -> None:
    """The client lists one that is being deleted."""
    kafka.create("leaving", 0)
    kafka.create("staying", 1)
    assert existing_topics(Brokers(settings(), kafka)) == {"staying": (1, 1)}


def test_a_refused_creation_says_what_to_check(kafka: FakeKafka) -> None:
    topics = settings()
    kafka.errors["create_topics"].append(KafkaError(KafkaError.INVALID_REPLICATION_FACTOR, "three"))
    with pytest.raises(Misconfigured, match=r"cannot be created: .*topics.kafka.replication"):
        create_topics(Brokers(topics, kafka), wanted_topics(topics))


@pytest.mark.parametrize("request_name", ["list_topics", "describe_configs"])
def test_an_outage_while_comparing_is_reported(kafka: FakeKafka, request_name: str) -> None:
    topics = settings()
    brokers = Brokers(topics, kafka)
    create_topics(brokers, wanted_topics(topics))
    kafka.errors[request_name].append(KafkaError(KafkaError._TIMED_OUT))
    with pytest.raises(Unavailable):
        topic_differences(brokers, wanted_topics(topics))
    assert brokers.down


def test_a_refused_connection_is_reported_as_such(kafka: FakeKafka) -> None:
    """The request times out; the reason arrives through the error callback."""
    kafka.down = True
    kafka.connection_errors.append(KafkaError(KafkaError._SSL, "unknown CA"))
    with pytest.raises(Misconfigured, match="unknown CA"):
        existing_topics(Brokers(settings(), kafka))
