"""``looksync topics create|check``: create the configured topics, compare them."""

from __future__ import annotations

from rich.console import Console

from dataflows.wiring.topics import open_topic
from operators.streaming.files.topic import FileTopic
from operators.streaming.kafka.admin import (
    create_topics,
    existing_topics,
    topic_differences,
    wanted_topics,
)
from operators.streaming.kafka.brokers import Brokers
from operators.streaming.kafka.groups import GroupReport, forgotten_positions, group_report
from operators.streaming.kafka.topic import KafkaTopic
from schemas.errors import Misconfigured
from schemas.settings import Settings, TopicSettings


def create(settings: Settings, console: Console) -> None:
    """Create the topics that are missing; existing ones are left unchanged."""
    topics = settings.topics
    if topics.kind == "file":
        for topic in wanted_topics(topics):
            open_topic(topics, topic.name)
            console.print(f"{topic.name}: exists in {topics.folder}", highlight=False)
        return
    brokers = Brokers(topics)
    existing = existing_topics(brokers)
    for topic in wanted_topics(topics):
        if topic.name in existing:
            console.print(f"{topic.name}: exists already", highlight=False)
            continue
        create_topics(brokers, [topic])
        console.print(f"{topic.name}: created, {topic.partitions} partitions", highlight=False)


def check(settings: Settings, console: Console) -> int:
    """Print how the topics differ from the settings, and how far the flows' consumer groups are;
    0 when the topics agree and the groups can go on, else 1."""
    topics = settings.topics
    groups: list[GroupReport] = []
    if topics.kind == "file":
        differences = _file_differences(topics)
    else:
        differences, groups = compare_kafka(topics)
    if not differences:
        console.print(f"{len(wanted_topics(topics))} topics agree with the settings")
    differences += [problem for group in groups for problem in group.problems]
    for line in (*(group.summary for group in groups), *differences):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return 1 if differences else 0


def compare_kafka(topics: TopicSettings) -> tuple[list[str], list[GroupReport]]:
    """How Kafka's topics differ from the settings, and what is known of the flows' groups.

    Raises Misconfigured or Unavailable.
    """
    brokers = Brokers(topics)
    differences = topic_differences(brokers, wanted_topics(topics)) + forgotten_positions(brokers)
    return differences, _groups(topics, brokers)


def _groups(topics: TopicSettings, brokers: Brokers) -> list[GroupReport]:
    """What is known of the flows' consumer groups, of those whose topic exists."""
    existing = existing_topics(brokers)
    return [
        group_report(KafkaTopic(brokers, source), f"{topics.kafka.group_prefix}.{flow}")
        for flow, source in (("catalog", topics.updates), ("looks", topics.looks))
        if source in existing
    ]


def _file_differences(topics: TopicSettings) -> list[str]:
    found = []
    for topic in wanted_topics(topics):
        try:
            partitions = FileTopic(topics.folder, topic.name).partitions
        except Misconfigured as error:
            found.append(f"{error}; run `looksync topics create`")
            continue
        if partitions != topic.partitions:
            found.append(
                f"{topic.name}: {partitions} partitions, topics.partitions = {topic.partitions}; "
                "the number of partitions of a file topic cannot change"
            )
    return found
