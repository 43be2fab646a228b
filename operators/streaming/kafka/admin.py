"""Kafka's topics: what the settings ask for, what there is, and creating what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaException
from confluent_kafka.admin import ConfigResource, NewTopic, ResourceType

from operators.streaming.kafka.brokers import Brokers
from schemas.errors import Misconfigured
from schemas.settings import TopicSettings

LETTER_HEADERS = 64 * 1024
"""Bytes by which a dead letter may be larger than the record that failed."""


@dataclass(frozen=True, slots=True)
class WantedTopic:
    """A Kafka topic as the settings ask for it."""

    name: str
    partitions: int
    config: dict[str, str]


def wanted_topics(topics: TopicSettings) -> list[WantedTopic]:
    """Every topic that the flows read and write."""
    kafka = topics.kafka
    largest = kafka.max_record_bytes
    durable = {"min.insync.replicas": str(min(2, kafka.replication))}
    deleted = {"cleanup.policy": "delete", "retention.ms": _milliseconds(kafka.retention_hours)}
    compacted = {
        # Carries state: the latest change of each product stays. Compaction waits for the retention
        # time, so that a consumer, and a flow that reads back its own output, sees every change.
        "cleanup.policy": "compact",
        "min.compaction.lag.ms": _milliseconds(kafka.retention_hours),
    }
    letters = {
        "cleanup.policy": "delete",
        "retention.ms": _milliseconds(kafka.dead_letter_retention_hours),
        "max.message.bytes": str(largest + LETTER_HEADERS),
    }
    records = {"max.message.bytes": str(largest)}
    plans = {
        topics.updates: deleted | records,
        topics.changes: compacted | records,
        topics.looks: deleted | records,
        topics.matches: deleted | records,
        topics.dead_letters(topics.updates): letters,
        topics.dead_letters(topics.looks): letters,
    }
    return [
        WantedTopic(name, topics.partitions, durable | config) for name, config in plans.items()
    ]


def create_topics(brokers: Brokers, topics: Sequence[WantedTopic]) -> None:
    """Create ``topics``, which must not exist yet. Raises Misconfigured when Kafka refuses one."""
    kafka = brokers.settings
    if not topics:
        return
    answers = brokers.admin.create_topics(
        [NewTopic(t.name, t.partitions, kafka.replication, config=t.config) for t in topics],
        request_timeout=kafka.timeout_seconds,
    )
    for name, answer in answers.items():
        try:
            answer.result()
        except KafkaException as error:
            raise Misconfigured(
                f"{name} cannot be created: {error.args[0]}; check topics.kafka.replication and "
                "the user's rights"
            ) from error


def topic_differences(brokers: Brokers, topics: Sequence[WantedTopic]) -> list[str]:
    """What to change so that Kafka's topics are as ``topics`` ask; a sentence per difference."""
    kafka = brokers.settings
    existing = existing_topics(brokers)
    found = []
    present = []
    for topic in topics:
        if topic.name not in existing:
            found.append(f"{topic.name}: missing; run `looksync topics create`")
            continue
        present.append(topic)
        partitions, replication = existing[topic.name]
        if partitions != topic.partitions:
            found.append(
                f"{topic.name}: {partitions} partitions, topics.partitions = {topic.partitions}; "
                "more partitions move keys, so change them only while the flows are stopped and "
                "have read everything"
            )
        if replication < kafka.replication:
            found.append(
                f"{topic.name}: {replication} replicas of a partition, "
                f"topics.kafka.replication = {kafka.replication}"
            )
    return found + _config_differences(brokers, present)


def _config_differences(brokers: Brokers, topics: Sequence[WantedTopic]) -> list[str]:
    if not topics:
        return []
    found = []
    resources = {ConfigResource(ResourceType.TOPIC, topic.name): topic for topic in topics}
    with brokers.asked():
        answers = brokers.admin.describe_configs(
            list(resources), request_timeout=brokers.settings.timeout_seconds
        )
        for resource, answer in answers.items():
            topic, config = resources[resource], answer.result()
            for name, value in topic.config.items():
                if config[name].value != value:
                    found.append(
                        f"{topic.name}: {name} is {config[name].value}, should be {value}; "
                        f"kafka-configs.sh --alter --topic {topic.name} "
                        f"--add-config {name}={value}"
                    )
    return found


def existing_topics(brokers: Brokers) -> dict[str, tuple[int, int]]:
    """Topic -> (partitions, replicas of the partition that has the fewest)."""
    admin = brokers.admin
    with brokers.asked():
        try:
            topics = admin.list_topics(timeout=brokers.settings.timeout_seconds).topics
        finally:
            admin.poll(0)
    return {
        name: (len(topic.partitions), min(len(p.replicas) for p in topic.partitions.values()))
        for name, topic in topics.items()
        if topic.partitions
    }


def _milliseconds(hours: float) -> str:
    return str(int(hours * 3_600_000))
