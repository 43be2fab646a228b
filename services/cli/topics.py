"""``looksync topics create|check``: the topics as the settings ask for them."""

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
    """Print how the topics differ from the settings; 0 when they do not, else 1."""
    topics = settings.topics
    wanted = wanted_topics(topics)
    differences = (
        _file_differences(topics)
        if topics.kind == "file"
        else topic_differences(Brokers(topics), wanted)
    )
    for difference in differences:
        console.print(difference, markup=False, highlight=False, soft_wrap=True)
    if not differences:
        console.print(f"{len(wanted)} topics are as the settings ask")
    return 1 if differences else 0


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
                "the number of a file topic's partitions never changes"
            )
    return found
