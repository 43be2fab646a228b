"""Whether a committed position applies to the topic as it is now, and what to do when not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from confluent_kafka import TopicPartition

from operators.streaming.kafka.brokers import refreshing
from operators.streaming.kafka.clients import Consumer
from operators.streaming.kafka.progress import Commit, TopicIdentity
from operators.streaming.kafka.topic import KafkaTopic
from schemas.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class Gap:
    """Records that were deleted before they were read."""

    first: int
    """The first offset that there is."""
    sentence: str


class Positions:
    """The positions of consumer group ``group`` in ``topic``."""

    def __init__(self, topic: KafkaTopic, group: str, consumer: Consumer) -> None:
        """``consumer``: is asked for the topic's ends.

        Not one whose callbacks lead here: the client loses its state when a callback calls
        ``list_topics`` of the consumer that is being polled, and the next callback of that poll
        ends the process ("CallState_get: Assertion failed", confluent-kafka 2).
        """
        self._topic = topic
        self._group = group
        self._consumer = consumer

    def watermarks(self, partition: int) -> tuple[int, int]:
        """The first offset, and the offset of the next record. Raises Unavailable."""
        brokers, topic, consumer = self._topic.brokers, self._topic.name, self._consumer
        timeout = brokers.settings.timeout_seconds

        def request() -> tuple[int, int]:
            return consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=timeout)

        return brokers.retry(partial(refreshing, consumer, topic, timeout, request))

    def gap(self, partition: int, offset: int) -> Gap | None:
        """The records from ``offset`` on that are gone; None: there are none.

        Raises Misconfigured unless the settings accept them, or when the topic ends before.
        """
        first, end = self.watermarks(partition)
        name = f"{self._topic.name}/{partition}"
        if offset > end:
            raise Misconfigured(
                f"{name} ends at {end}, before offset {offset}, where reading is to resume: the "
                f"topic was replaced or truncated. {self._advice()}"
            )
        if offset >= first:
            return None
        sentence = (
            f"{name}: records {offset} to {first - 1} ({first - offset} records) were deleted "
            "before they were read"
        )
        if not self._topic.brokers.settings.accept_gaps:
            raise Misconfigured(
                f"{sentence}; set topics.kafka.accept_gaps = true to resume at {first}, and give "
                "the topic a longer retention"
            )
        return Gap(first, sentence)

    def require_same(self, partition: int, commit: Commit, now: TopicIdentity) -> None:
        """Raise Misconfigured when ``commit`` is about another topic than the one with the
        identity ``now``, or a job has reserved the partition."""
        if commit.reserved:
            raise Misconfigured(
                f"{self._group}: {commit.reserved} works in the flow's place, or was "
                "stopped in the middle: run it again until it ends"
            )
        committed, name = commit.identity, f"{self._topic.name}/{partition}"
        if committed is None or committed == now:
            return
        if committed.cluster != now.cluster:
            raise Misconfigured(
                f"{self._group}: the position in {name} is one on Kafka cluster "
                f"{committed.cluster}, and this is cluster {now.cluster}: set topics.brokers to "
                f"the other one. {self._advice()}"
            )
        raise Misconfigured(
            f"{self._group}: the topic was replaced: the position in {name} is one in a "
            f"topic that was deleted (id {committed.topic}), and {self._topic.name} was created "
            f"again (id {now.topic}). {self._advice()}"
        )

    def require_unchanged(self, before: TopicIdentity) -> None:
        """Raise Misconfigured when the topic that is read, with the identity ``before``, was
        deleted, and Unavailable without an answer."""
        if self._topic.identity() != before:
            raise Misconfigured(
                f"{self._group}: the topic {self._topic.name} was deleted and created again while "
                f"the flow read it. {self._advice()}"
            )

    def _advice(self) -> str:
        return (
            "To read this topic from its beginning, stop the flow and run "
            f"kafka-consumer-groups.sh --delete --group {self._group}"
        )
