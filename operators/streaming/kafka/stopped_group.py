"""Reads and changes the positions of a flow that does not run.

Brokers accept commits from outside only while the group has no members.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from operators.streaming.kafka.handover import GroupCommits
from operators.streaming.kafka.positions import Positions
from operators.streaming.kafka.progress import MOST_PENDING, Commit, Progress
from operators.streaming.kafka.topic import KafkaTopic
from schemas.errors import LookSyncError, Misconfigured

_RUNNING = (
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.REBALANCE_IN_PROGRESS,
)


LEAVING_SECONDS = 2.0
"""How long the brokers may take to remove a member that has just left."""


class StoppedGroup:
    """Consumer group ``name`` of ``topic``."""

    def __init__(self, topic: KafkaTopic, name: str) -> None:
        self.topic = topic
        self.name = name
        self._commits = GroupCommits(topic, name)
        self._positions = Positions(topic, name, self._commits.consumer)

    @property
    def partitions(self) -> range:
        return range(self.topic.partitions)

    def latest(self) -> dict[int, Commit]:
        """The last commits; without partitions that have none."""
        return self._commits.latest(self.partitions)

    def take_over(self) -> dict[int, Commit]:
        """The commits, once every process that did not end in order has been fenced off; a
        partition without one begins at its first record. Raises Unavailable or Misconfigured."""
        for owner in {c.owner for c in self.latest().values() if not c.ended and c.owner}:
            self._commits.fence(owner)
        return {
            partition: commit or Commit(Progress(self._positions.watermarks(partition)[0]))
            for partition, commit in self._commits.stable(self.partitions).items()
        }

    def commit(self, commits: dict[int, Commit]) -> None:
        """Raises Misconfigured while a process of the flow runs."""
        offsets = [
            TopicPartition(self.topic.name, p, commit.progress.committed, commit.metadata())
            for p, commit in commits.items()
        ]
        until = time.monotonic() + LEAVING_SECONDS
        while True:
            try:
                self._send(offsets)
                return
            except LookSyncError as error:
                cause = error.__cause__
                if not (isinstance(cause, KafkaException) and cause.args[0].code() in _RUNNING):
                    raise
                if time.monotonic() >= until:
                    raise Misconfigured(
                        f"{self.name}: a process of the flow is running: stop it first"
                    ) from error
            time.sleep(0.2)

    def _send(self, offsets: list[TopicPartition]) -> None:
        with self.topic.brokers.reporting_outages():
            for answer in self._commits.consumer.commit(offsets=offsets, asynchronous=False):
                if answer.error is not None:
                    raise KafkaException(answer.error)

    def close(self) -> None:
        self._commits.close()


def rewind(group: StoppedGroup, to: datetime) -> dict[int, int]:
    """Let the flow handle again all records since ``to``; per partition, how many offsets it goes
    back. Partitions whose position is before ``to`` stay. Raises Misconfigured or Unavailable."""
    starts, identity = group.topic.offsets_at(to), group.topic.identity()
    back: dict[int, int] = {}
    commits: dict[int, Commit] = {}
    for partition, commit in group.take_over().items():
        _refuse_reserved(group, commit)
        start = starts[partition]
        if start < commit.progress.position:
            back[partition] = commit.progress.position - start
            still = tuple(offset for offset in commit.progress.pending if offset < start)
            commits[partition] = Commit(Progress(start, still), identity=identity)
    if commits:
        group.commit(commits)
    return back


def skip(group: StoppedGroup, partition: int, offset: int, keep: Callable[[], object]) -> None:
    """Let the flow not handle the record, once ``keep`` has kept it elsewhere.

    Raises Misconfigured when it has been handled, or is too far ahead, or the flow runs.
    """
    commit = group.take_over().get(partition)
    if commit is None:
        raise Misconfigured(f"{group.topic.name} has no partition {partition}")
    _refuse_reserved(group, commit)
    before = commit.progress
    if offset < before.position and offset not in before.pending:
        raise Misconfigured(f"{group.topic.name}/{partition}/{offset} has been handled already")
    pending = {*before.pending, *range(before.position, offset)} - {offset}
    if len(pending) > MOST_PENDING:
        raise Misconfigured(
            f"{group.topic.name}/{partition}/{offset} is {len(pending)} records ahead of the flow; "
            f"at most {MOST_PENDING} can be: let the flow come nearer first"
        )
    after = Progress(max(before.position, offset + 1), tuple(sorted(pending)))
    group.commit({partition: replace(commit, ended=True)})  # refused while the flow runs
    keep()
    group.commit({partition: replace(commit, progress=after, ended=True)})


def _refuse_reserved(group: StoppedGroup, commit: Commit) -> None:
    if commit.reserved:
        raise Misconfigured(f"{group.name}: {commit.reserved} works in the flow's place")
