"""Kafka's topics: which the settings require, which exist, and creating the missing ones."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import ConfigResource, NewTopic, ResourceType

from operators.streaming.kafka.brokers import Brokers
from operators.streaming.kafka.topic_config import UNLIMITED, risk_of, suffices
from schemas.errors import Misconfigured, Unavailable
from schemas.settings import TopicSettings

LETTER_HEADER_BYTES = 64 * 1024
"""How much larger a dead letter may be than the record that failed."""


TOPIC_POLL_SECONDS = 0.05
"""A broker learns of a new topic within milliseconds, on a busy machine within a second."""


@dataclass(frozen=True, slots=True)
class WantedTopic:
    """A Kafka topic as the settings require it."""

    name: str
    partitions: int
    config: dict[str, str]


def wanted_topics(topics: TopicSettings) -> list[WantedTopic]:
    """The topics that the flows and the API read and write."""
    kafka = topics.kafka
    largest = kafka.max_record_bytes
    durable = {
        "min.insync.replicas": str(min(2, kafka.replication)),
        "unclean.leader.election.enable": "false",
    }
    deleted = {
        "cleanup.policy": "delete",
        "retention.ms": _milliseconds(kafka.retention_hours),
        "retention.bytes": UNLIMITED,
    }
    compacted = {
        # A changelog: the latest change of each product stays. Compaction waits for the retention
        # time, so that consumers, and flows that read back their output, see every change.
        "cleanup.policy": "compact",
        "min.compaction.lag.ms": _milliseconds(kafka.retention_hours),
    }
    letters = {
        "cleanup.policy": "delete",
        "retention.ms": _milliseconds(kafka.dead_letter_retention_hours),
        "retention.bytes": UNLIMITED,
        "max.message.bytes": str(largest + LETTER_HEADER_BYTES),
    }
    records = {"max.message.bytes": str(largest)}
    plans = {
        topics.updates: deleted | records,
        topics.changes: compacted | records,
        topics.looks: deleted | records,
        topics.matches: deleted | records,
        topics.interactions: deleted | records,
        topics.dead_letters(topics.updates): letters,
        topics.dead_letters(topics.looks): letters,
    }
    return [
        WantedTopic(name, topics.partitions, durable | config) for name, config in plans.items()
    ]


def create_topics(brokers: Brokers, topics: Sequence[WantedTopic]) -> None:
    """Create ``topics``; one that exists by now is left as it is. Each can be used afterwards.

    Raises Misconfigured when Kafka refuses one, Unavailable when it takes too long.
    """
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
            # Another command was quicker, or the client has asked again after a slow answer.
            if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                continue
            raise Misconfigured(
                f"{name} cannot be created: {error.args[0].str()}; check "
                "topics.kafka.replication and the user's rights"
            ) from error
    _await_topics(brokers, set(answers))


def _await_topics(brokers: Brokers, names: set[str]) -> None:
    """Wait until the brokers report the topics to clients; the controller knows of them earlier."""
    seconds = brokers.settings.timeout_seconds
    until = time.monotonic() + seconds
    while missing := names - existing_topics(brokers).keys():
        if time.monotonic() >= until:
            raise Unavailable(
                f"{', '.join(sorted(missing))}: created, but the broker does not know of it "
                f"after {seconds:g} s; run the command again",
                reason="kafka",
            )
        time.sleep(TOPIC_POLL_SECONDS)


def topic_differences(brokers: Brokers, topics: Sequence[WantedTopic]) -> list[str]:
    """How Kafka's topics differ from ``topics`` and what to change; one sentence each."""
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
                "adding partitions moves keys, so do it only while the flows are stopped and "
                "have read everything"
            )
        if replication < kafka.replication:
            found.append(
                f"{topic.name}: {replication} replicas of a partition, "
                f"topics.kafka.replication = {kafka.replication}"
            )
    configs = _configs(brokers, present)
    found += [
        _advice(topic, name, configs[topic.name][name])
        for topic in present
        for name, value in topic.config.items()
        if not suffices(name, configs[topic.name][name], value)
    ]
    for topic in present:
        replication, in_sync = existing[topic.name][1], configs[topic.name]["min.insync.replicas"]
        if int(in_sync) > replication:
            found.append(
                f"{topic.name}: min.insync.replicas is {in_sync}, but a partition has "
                f"{replication} replicas, so nothing can be written"
            )
    return found


def unsafe_topics(brokers: Brokers, topics: Sequence[WantedTopic]) -> list[str]:
    """What makes Kafka's topics unfit for a flow, and what to change; one sentence each.

    Missing topics, and differences that lose nothing by themselves, are left to
    :func:`topic_differences`.
    """
    existing = existing_topics(brokers)
    present = [
        # A topic with a single copy is not made safer by any number here.
        replace(
            topic,
            config={
                **topic.config,
                "min.insync.replicas": str(min(2, existing[topic.name][1])),
            },
        )
        for topic in topics
        if topic.name in existing
    ]
    configs = _configs(brokers, present)
    return [
        f"{_advice(topic, name, configs[topic.name][name])} ({risk})"
        for topic in present
        for name in topic.config
        if (risk := risk_of(name, configs[topic.name][name], topic.config)) is not None
    ]


def _configs(brokers: Brokers, topics: Sequence[WantedTopic]) -> dict[str, dict[str, str]]:
    """Per topic, its value of each setting of ``topics``; as wanted where Kafka reports none."""
    if not topics:
        return {}
    found = {}
    resources = {ConfigResource(ResourceType.TOPIC, topic.name): topic for topic in topics}
    with brokers.reporting_outages():
        answers = brokers.admin.describe_configs(
            list(resources), request_timeout=brokers.settings.timeout_seconds
        )
        for resource, answer in answers.items():
            topic, config = resources[resource], answer.result()
            found[topic.name] = {
                name: config[name].value if name in config else wanted
                for name, wanted in topic.config.items()
            }
    return found


def _advice(topic: WantedTopic, name: str, found: str) -> str:
    value = topic.config[name]
    return (
        f"{topic.name}: {name} is {found}, should be {value}; "
        f"kafka-configs.sh --alter --topic {topic.name} --add-config {name}={value}"
    )


def existing_topics(brokers: Brokers) -> dict[str, tuple[int, int]]:
    """Topic -> (number of partitions, lowest number of replicas of a partition)."""
    admin = brokers.admin
    with brokers.reporting_outages():
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
