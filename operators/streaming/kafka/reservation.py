"""Keeps a flow from running while a job works in its place.

The reservation is in the metadata of the flow's commits, so that it outlives a killed job. It can
only be made while the group has no members, because brokers refuse commits from outside then.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from operators.streaming.kafka.handover import GroupCommits
from operators.streaming.kafka.progress import Commit, Progress
from operators.streaming.kafka.topic import KafkaTopic
from schemas.errors import Misconfigured

CHECK_SECONDS = 5.0


class Reservation:
    """The partitions of ``topic`` that consumer group ``group`` reads, reserved for ``job``."""

    def __init__(
        self, topic: KafkaTopic, group: str, job: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._topic = topic
        self._job = job
        self._clock = clock
        self._consumer = topic.brokers.consumer(group)
        self._commits = GroupCommits(topic, group)
        self._checked = 0.0

    def make(self) -> None:
        """Reserve all partitions. Raises Misconfigured while the flow, or another job, runs."""
        found = self._commits.latest(self._partitions)
        for owner in {c.owner for c in found.values() if not c.ended and c.owner}:
            self._commits.fence(owner)
        stable = self._commits.stable(self._partitions)
        others = {c.reserved for c in stable.values() if c is not None} - {"", self._job}
        if others:
            raise Misconfigured(
                f"{self._commits.name}: {', '.join(sorted(others))} works in the flow's place, or "
                "was stopped in the middle: run it again until it ends"
            )
        self._commit(
            {
                p: replace(commit or Commit(self._first(p)), ended=True, reserved=self._job)
                for p, commit in stable.items()
            }
        )
        self._checked = self._clock()

    def check(self) -> None:
        """Raise Misconfigured when the reservation is gone; asks every few seconds."""
        if self._clock() - self._checked < CHECK_SECONDS:
            return
        found = self._commits.latest(self._partitions)
        if any(p not in found or found[p].reserved != self._job for p in self._partitions):
            raise Misconfigured(
                f"{self._commits.name}: the reservation for {self._job} is gone: another tool has "
                "reset or deleted the consumer group"
            )
        self._checked = self._clock()

    def end(self) -> None:
        """Let the flow run again, from where it was."""
        found = self._commits.stable(self._partitions)
        self._commit({p: replace(c, reserved="") for p, c in found.items() if c is not None})

    def close(self) -> None:
        self._consumer.close()
        self._commits.close()

    @property
    def _partitions(self) -> range:
        return range(self._topic.partitions)

    def _first(self, partition: int) -> Progress:
        with self._topic.brokers.reporting_outages():
            first, _ = self._consumer.get_watermark_offsets(
                TopicPartition(self._topic.name, partition),
                timeout=self._topic.brokers.settings.timeout_seconds,
            )
        return Progress(first)

    def _commit(self, commits: dict[int, Commit]) -> None:
        offsets = [
            TopicPartition(self._topic.name, p, commit.progress.committed, commit.metadata())
            for p, commit in commits.items()
        ]
        try:
            with self._topic.brokers.reporting_outages():
                for answer in self._consumer.commit(offsets=offsets, asynchronous=False):
                    if answer.error is not None:
                        raise KafkaException(answer.error)
        except Exception as error:
            cause = error.__cause__
            if isinstance(cause, KafkaException) and cause.args[0].code() in (
                KafkaError.UNKNOWN_MEMBER_ID,
                KafkaError.ILLEGAL_GENERATION,
                KafkaError.REBALANCE_IN_PROGRESS,
            ):
                raise Misconfigured(
                    f"{self._commits.name}: a process of the flow is running: stop it first"
                ) from error
            raise
