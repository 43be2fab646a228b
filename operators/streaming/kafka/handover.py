"""Where a partition's new owner resumes: what the group's commits say, and whether they apply.

The last owner may have been killed, or suspended, in the middle of a transaction. Its transactional
id is in its commit: fencing it off aborts that transaction and every later one of it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import structlog
from confluent_kafka import KafkaException, TopicPartition

from operators.streaming.kafka.clients import Consumer
from operators.streaming.kafka.membership import SourceMetrics
from operators.streaming.kafka.positions import Positions
from operators.streaming.kafka.progress import Commit, TopicIdentity
from operators.streaming.kafka.rules import ReadState
from operators.streaming.kafka.suspects import NO_SUSPECTS, Suspects
from operators.streaming.kafka.topic import KafkaTopic

log = structlog.get_logger()


class GroupCommits:
    """The commits of consumer group ``name`` for ``topic``."""

    def __init__(self, topic: KafkaTopic, name: str) -> None:
        self.topic = topic
        self.name = name
        self._timeout = topic.brokers.settings.timeout_seconds
        # Consumers that never join. The admin client's request for offsets is not used: it got no
        # answer any more once the group's coordinator had been restarted.
        self.consumer = topic.brokers.consumer(name)
        """Never polled, so that the group's callbacks may call each of its methods."""
        self._latest = topic.brokers.consumer(name, **{"isolation.level": "read_uncommitted"})

    def latest(self, partitions: Collection[int]) -> dict[int, Commit]:
        """The last commits, whatever transactions are open; without partitions that have none.

        Raises Unavailable or Misconfigured.
        """
        found = self._ask(self._latest, partitions)
        return {partition: commit for partition, commit in found.items() if commit is not None}

    def stable(self, partitions: Collection[int]) -> dict[int, Commit | None]:
        """The commits once every transaction that may change them has ended."""
        return self._ask(self.consumer, partitions)

    def close(self) -> None:
        self.consumer.close()
        self._latest.close()

    def _ask(self, consumer: Consumer, partitions: Collection[int]) -> dict[int, Commit | None]:
        def request() -> list[TopicPartition]:
            answers = consumer.committed(
                [TopicPartition(self.topic.name, p) for p in partitions], timeout=self._timeout
            )
            for answer in answers:
                if answer.error is not None:
                    raise KafkaException(answer.error)
            return answers

        return {
            at.partition: Commit.parse(at.offset, at.metadata) if at.offset >= 0 else None
            for at in self.topic.brokers.retry(request)
        }

    def fence(self, owner: str) -> None:
        """Abort the open transaction of the process with this transactional id, and all later ones
        that it begins before it initialises its transactions again."""
        log.info("taking over from a process that did not end in order", owner=owner)
        self.topic.brokers.transactional_producer(owner, 10.0)


@dataclass(frozen=True, slots=True)
class Start:
    """Where a partition's new owner starts."""

    state: ReadState
    suspects: Suspects = NO_SUSPECTS


class Handover:
    """Takes partitions over from their last owners."""

    def __init__(
        self,
        commits: GroupCommits,
        owner: str,
        positions: Positions,
        metrics: SourceMetrics,
    ) -> None:
        self._commits = commits
        self._owner = owner
        self._positions = positions
        self._metrics = metrics
        self._identity: TopicIdentity | None = None
        """Of the topic whose partitions were taken."""
        self._survived: set[int] = set()
        """Partitions that this process has lost, and not taken again."""

    def survive(self, partitions: Collection[int]) -> None:
        """Note that this process has lost ``partitions``: it did not die."""
        self._survived |= set(partitions)

    def take(self, partitions: Collection[int], identity: TopicIdentity) -> dict[int, Start]:
        """Where each partition of the topic with ``identity`` is to be read from.

        Raises Misconfigured when a commit is not about this topic, or records are gone;
        Unavailable when the brokers do not answer.
        """
        self._identity = identity
        if not partitions:
            return {}
        before = self._commits.latest(partitions)
        owners = {commit.owner for commit in before.values() if not commit.ended}
        for owner in owners - {self._owner, ""}:
            self._commits.fence(owner)
        return {
            partition: self._start(partition, commit, identity)
            for partition, commit in self._commits.stable(partitions).items()
        }

    def skip_gap(self, partition: int, offset: int) -> int:
        """The first offset there is in a partition that is read; ``offset`` has been deleted.

        Raises Misconfigured unless the settings accept gaps, or when the topic was replaced.
        """
        assert self._identity is not None, "partitions were taken"
        self._positions.require_unchanged(self._identity)
        return self._skip_gap(partition, offset)

    def _skip_gap(self, partition: int, offset: int) -> int:
        gap = self._positions.gap(partition, offset)
        if gap is None:
            return offset
        log.error("records lost", gap=gap.sentence)
        self._metrics.lost(partition, gap.first - offset)
        return gap.first

    def _start(self, partition: int, commit: Commit | None, identity: TopicIdentity) -> Start:
        if commit is None:
            first, _ = self._positions.watermarks(partition)
            return Start(ReadState(first, first))
        self._positions.require_same(partition, commit, identity)
        state = ReadState.after_owner(commit.progress)
        first = self._skip_gap(partition, state.offset)
        if first != state.offset:
            state = state.skip_gap(first)
        return Start(state, self._suspects(partition, commit))

    def _suspects(self, partition: int, commit: Commit) -> Suspects:
        survived = partition in self._survived and commit.owner == self._owner
        self._survived.discard(partition)
        if commit.ended or survived:
            return commit.suspects
        self._metrics.died()
        progress = commit.progress
        _, end = self._positions.watermarks(partition)
        suspects = commit.suspects.after_death(progress.position, end)
        suspects = suspects.after(progress.position, progress.pending)
        if suspects.isolated:
            log.warning(
                "owners of the partition died again and again: its records are called one by one",
                partition=partition,
                deaths=suspects.deaths,
                until=suspects.until,
            )
        return suspects
