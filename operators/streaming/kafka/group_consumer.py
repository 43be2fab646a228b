"""The consumer with which this process is in its group; it is replaced if it fences itself off."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog
from confluent_kafka import TopicPartition

from operators.streaming.kafka.clients import Consumer
from operators.streaming.kafka.clock import Clock
from operators.streaming.kafka.group_members import require_own_instance
from operators.streaming.kafka.handover import Handover
from operators.streaming.kafka.inputs import Inputs
from operators.streaming.kafka.membership import Membership
from operators.streaming.kafka.reader import FencedOff, Reader
from operators.streaming.kafka.topic import KafkaTopic
from schemas.errors import Unavailable

log = structlog.get_logger()

OnPartitions = Callable[[list[TopicPartition]], None]
"""Called with the partitions that the group gives or takes, while the consumer is polled."""


class GroupConsumer:
    """A consumer and its reader. All methods are for the thread of the group's member."""

    def __init__(
        self,
        topic: KafkaTopic,
        membership: Membership,
        inputs: Inputs,
        handover: Handover,
        clock: Clock,
    ) -> None:
        self._topic = topic
        self._membership = membership
        self._inputs = inputs
        self._handover = handover
        self._clock = clock
        self._on_assign: OnPartitions
        self._on_revoke: OnPartitions
        self._on_lost: OnPartitions
        self.consumer, self.reader = self._new()

    def join(self, on_assign: OnPartitions, on_revoke: OnPartitions, on_lost: OnPartitions) -> None:
        """Join the group with the next poll."""
        self._on_assign, self._on_revoke, self._on_lost = on_assign, on_revoke, on_lost
        self.consumer.subscribe(
            [self._topic.name],
            on_assign=lambda _, partitions: self._on_assign(partitions),
            on_revoke=lambda _, partitions: self._on_revoke(partitions),
            on_lost=lambda _, partitions: self._on_lost(partitions),
        )

    def read(self, seconds: float, leaving: threading.Event) -> None:
        """As Reader.read(); joins again if it was this process that has fenced itself off.

        Raises Misconfigured when another process has the static id, and Unavailable when that is
        unknown and the process leaves.
        """
        try:
            self.reader.read(seconds)
        except FencedOff:
            self._require_own_instance(leaving)
            log.warning("joining again: Kafka took a late join of this process for another process")
            self._replace()

    def _require_own_instance(self, leaving: threading.Event) -> None:
        while True:
            try:
                require_own_instance(self._topic.brokers, self._membership)
                return
            except Unavailable:
                if leaving.wait(1.0):
                    raise

    def _replace(self) -> None:
        callbacks = self._on_assign, self._on_revoke, self._on_lost
        self._on_revoke = self._on_lost  # nothing can be committed for what is given back
        self.consumer.close()
        self.consumer, self.reader = self._new()
        self.join(*callbacks)

    def _new(self) -> tuple[Consumer, Reader]:
        consumer = self._topic.brokers.member(self._membership)
        return consumer, Reader(
            self._topic, self._membership, consumer, self._inputs, self._handover, self._clock
        )
