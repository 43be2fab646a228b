"""``looksync topics create|check``: the topics as the settings say they should be."""

from __future__ import annotations

from dataclasses import dataclass

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType
from rich.console import Console

from dataflows.topics import open_topic
from operators.streaming.file_topics import FileTopic
from operators.streaming.kafka_brokers import Brokers
from schemas.errors import Misconfigured
from schemas.settings import Settings, TopicSettings

LETTER_HEADERS = 64 * 1024
"""Bytes by which a dead letter may be larger than the record that failed."""


@dataclass(frozen=True, slots=True)
class WantedTopic:
    """A topic of Kafka as the settings say."""

    name: str
    partitions: int
    config: dict[str, str]


def wanted(topics: TopicSettings) -> list[WantedTopic]:
    """Every topic that the flows read and write."""
    kafka = topics.kafka
    largest = kafka.max_record_bytes
    durable = {"min.insync.replicas": str(min(2, kafka.replication))}
    deleted = {"cleanup.policy": "delete", "retention.ms": _milliseconds(kafka.retention_hours)}
    compacted = {
        # Carries state: the latest change of each product stays. A consumer sees every change
        # for as long as others are kept, and so does a flow that reads back what it wrote.
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


def create(settings: Settings, console: Console) -> None:
    """Create the topics that are missing; those that exist stay as they are."""
    topics = settings.topics
    if topics.kind == "file":
        for topic in wanted(topics):
            open_topic(topics, topic.name)
            console.print(f"{topic.name}: there, in {topics.folder}", highlight=False)
        return
    brokers = Brokers(topics)
    admin = brokers.admin
    there = _partitions(brokers, admin)
    missing = [topic for topic in wanted(topics) if topic.name not in there]
    answers = (
        admin.create_topics(
            [
                NewTopic(t.name, t.partitions, topics.kafka.replication, config=t.config)
                for t in missing
            ],
            request_timeout=topics.kafka.timeout_seconds,
        )
        if missing
        else {}
    )
    for topic in wanted(topics):
        if topic.name not in answers:
            console.print(f"{topic.name}: there already", highlight=False)
            continue
        try:
            answers[topic.name].result()
        except KafkaException as error:
            raise Misconfigured(
                f"{topic.name} cannot be created: {error.args[0]}; see topics.kafka.replication "
                "and the rights there"
            ) from error
        console.print(f"{topic.name}: created, {topic.partitions} partitions", highlight=False)


def check(settings: Settings, console: Console) -> int:
    """Print in what the topics differ from the settings; 0 when in nothing, else 1."""
    differences = _differences(settings)
    for difference in differences:
        console.print(difference, markup=False, highlight=False, soft_wrap=True)
    if not differences:
        console.print(f"{len(wanted(settings.topics))} topics are as the settings say")
    return 1 if differences else 0


def _differences(settings: Settings) -> list[str]:
    topics = settings.topics
    if topics.kind == "file":
        return _file_differences(topics)
    brokers = Brokers(topics)
    admin = brokers.admin
    there = _partitions(brokers, admin)
    found = []
    present = []
    for topic in wanted(topics):
        if topic.name not in there:
            found.append(f"{topic.name}: missing; run `looksync topics create`")
            continue
        present.append(topic)
        partitions, replication = there[topic.name]
        if partitions != topic.partitions:
            found.append(
                f"{topic.name}: {partitions} partitions, topics.partitions = {topic.partitions}; "
                "more partitions move keys, so change them only while the flows are stopped and "
                "have read everything"
            )
        if replication < topics.kafka.replication:
            found.append(
                f"{topic.name}: {replication} copies of a partition, "
                f"topics.kafka.replication = {topics.kafka.replication}"
            )
    if present:
        resources = {ConfigResource(ResourceType.TOPIC, topic.name): topic for topic in present}
        with brokers.asked():
            answers = admin.describe_configs(
                list(resources), request_timeout=topics.kafka.timeout_seconds
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


def _file_differences(topics: TopicSettings) -> list[str]:
    found = []
    for topic in wanted(topics):
        try:
            partitions = FileTopic(topics.folder, topic.name).partitions
        except Misconfigured as error:
            found.append(f"{error}; run `looksync topics create`")
            continue
        if partitions != topic.partitions:
            found.append(
                f"{topic.name}: {partitions} partitions, topics.partitions = {topic.partitions}; "
                "the number of a file topic's partitions never changes"
            )
    return found


def _partitions(brokers: Brokers, admin: AdminClient) -> dict[str, tuple[int, int]]:
    """Per topic there is: partitions, and copies of each (of the one that has the fewest)."""
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
