"""The flows' consumer groups as ``looksync topics check`` shows them: who reads, how far, and what
would keep a flow from going on."""

from __future__ import annotations

from dataclasses import dataclass

from confluent_kafka import ConsumerGroupState, KafkaError, KafkaException
from confluent_kafka.admin import ConfigResource, ConsumerGroupDescription, ResourceType

from operators.streaming.kafka.brokers import Brokers
from operators.streaming.kafka.handover import GroupCommits
from operators.streaming.kafka.positions import Positions
from operators.streaming.kafka.progress import Commit
from operators.streaming.kafka.topic import KafkaTopic
from schemas.errors import Misconfigured

MINUTES_A_WEEK = 7 * 24 * 60
"""How long brokers keep the positions of a group without members by default."""


@dataclass(frozen=True, slots=True)
class GroupReport:
    """What the brokers know of a flow's consumer group."""

    summary: str
    problems: tuple[str, ...] = ()
    """What keeps the flow from going on, and what to do; one sentence each."""


def group_report(topic: KafkaTopic, name: str) -> GroupReport:
    """Compare the positions of group ``name`` with what ``topic`` holds.

    Raises Misconfigured when the brokers refuse to answer, Unavailable when they do not.
    """
    members, unread = _members(topic, name)
    commits = GroupCommits(topic, name)
    try:
        found = commits.latest(range(topic.partitions))
        if not found and not members:
            return GroupReport(f"{name}: has not read {topic.name} yet")
        lag, problems = _compare(topic, Positions(topic, name, commits.consumer), found)
    finally:
        commits.close()
    if unread:
        problems.append(
            f"{name}: none of its {members} processes reads the partitions "
            f"{', '.join(map(str, unread))} of {topic.name}: see the processes' logs"
        )
    who = f"{members} processes" if members else "no process runs"
    return GroupReport(
        f"{name}: {who}, {lag} records of {topic.name} to be handled", tuple(problems)
    )


def forgotten_positions(brokers: Brokers) -> list[str]:
    """Whether the brokers forget the positions of a flow that is stopped before they delete its
    topics' records: it would then handle records again. One sentence each.
    """
    kafka = brokers.settings
    with brokers.reporting_outages():
        nodes = brokers.admin.list_topics(timeout=kafka.timeout_seconds).brokers
        asked = [ConfigResource(ResourceType.BROKER, str(node)) for node in nodes]
        answers = brokers.admin.describe_configs(asked, request_timeout=kafka.timeout_seconds)
        kept = [
            int(config["offsets.retention.minutes"].value)
            for answer in answers.values()
            if "offsets.retention.minutes" in (config := answer.result())
        ]
    hours = min(kept, default=MINUTES_A_WEEK) / 60
    if hours >= kafka.retention_hours:
        return []
    return [
        f"brokers: offsets.retention.minutes is {60 * hours:.0f}, less than "
        f"topics.kafka.retention_hours = {kafka.retention_hours:g}: a flow that is stopped for "
        f"{hours:g} hours would handle records again; raise it in the brokers' server.properties"
    ]


def _members(topic: KafkaTopic, name: str) -> tuple[int, list[int]]:
    """How many processes are in the group, and the partitions that none of them has.

    While partitions move none counts as unread.
    """
    brokers = topic.brokers

    def request() -> ConsumerGroupDescription | None:
        answer = brokers.admin.describe_consumer_groups(
            [name], request_timeout=brokers.settings.timeout_seconds
        )
        try:
            described: ConsumerGroupDescription = answer[name].result()
            return described
        except KafkaException as error:
            if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
                return None
            raise

    group = brokers.retry(request)
    if group is None or not group.members:
        return 0, []
    if group.state != ConsumerGroupState.STABLE:
        return len(group.members), []
    read = {
        at.partition
        for member in group.members
        for at in member.assignment.topic_partitions
        if at.topic == topic.name
    }
    return len(group.members), [p for p in range(topic.partitions) if p not in read]


def _compare(
    topic: KafkaTopic, positions: Positions, found: dict[int, Commit]
) -> tuple[int, list[str]]:
    """How many records are to be handled, and which positions do not apply."""
    identity, lag = topic.identity(), 0
    problems: list[str] = []
    foreign: list[str] = []
    for partition in range(topic.partitions):
        first, end = positions.watermarks(partition)
        if (commit := found.get(partition)) is None:
            lag += end - first
            continue
        lag += max(0, end - max(first, commit.progress.committed))
        try:
            positions.require_same(partition, commit, identity)
        except Misconfigured as error:
            foreign.append(str(error))
            continue
        try:
            positions.gap(partition, commit.progress.committed)
        except Misconfigured as error:
            problems.append(str(error))
    return lag, [*foreign[:1], *problems]  # all partitions are foreign for one reason
