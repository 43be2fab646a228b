"""The consumer with which this process is in its group; it is replaced after a fence.

Kafka gives a static id to whoever joined last and fences the member before off. A broker that was
paused handles the joins of this process that it had not answered when it goes on, each in place of
the one before: the process is fenced off by itself. Kafka does not show who has joined (it keeps
the client id of the first), so the process joins again. It ends when that does not help: then
another process has the id, and does the same. The one that joined first ends first.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog
from confluent_kafka import TopicPartition

from operators.streaming.kafka.clients import Consumer
from operators.streaming.kafka.clock import Clock
from operators.streaming.kafka.handover import Handover
from operators.streaming.kafka.inputs import Inputs
from operators.streaming.kafka.membership import Membership
from operators.streaming.kafka.reader import FencedOff, Reader
from operators.streaming.kafka.topic import KafkaTopic
from schemas.errors import Misconfigured

log = structlog.get_logger()

REJOINS = 2
"""How often a process joins again within REJOIN_SECONDS and the session timeout."""
REJOIN_SECONDS = 60.0
LATE_SECONDS = 1.0
"""Pause before that, in which Kafka handles the late joins that it still holds."""

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
        self._rejoins: list[float] = []
        """When this process has joined again, in seconds of the clock."""
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

    def read(self, seconds: float) -> None:
        """As Reader.read(). A consumer that was fenced off is replaced.

        Raises Misconfigured when that happens again and again.
        """
        try:
            self.reader.read(seconds)
        except FencedOff:
            self._note_rejoin()
            if lost := self._inputs.assigned:
                self._on_lost([TopicPartition(self._topic.name, p) for p in lost])
            self._clock.sleep(LATE_SECONDS)
            self._replace()

    def _note_rejoin(self) -> None:
        now = self._clock.monotonic()
        since = now - REJOIN_SECONDS - self._topic.brokers.settings.session_timeout_seconds
        self._rejoins = [at for at in self._rejoins if at > since]
        if len(self._rejoins) >= REJOINS:
            raise Misconfigured(
                f"{self._membership.group}: another process has joined as "
                f"{self._membership.instance}: give each process its own stream.instance"
            )
        self._rejoins.append(now)
        log.warning(
            "fenced off by a join under the name of this process: joining again",
            group=self._membership.group,
            instance=self._membership.instance,
        )

    def _replace(self) -> None:
        callbacks = self._on_assign, self._on_revoke, self._on_lost
        self._on_revoke = self._on_lost = lambda partitions: None  # all is lost already
        self.consumer.close()
        self.consumer, self.reader = self._new()
        self.join(*callbacks)

    def _new(self) -> tuple[Consumer, Reader]:
        name = self._membership
        consumer = self._topic.brokers.member(name.group, name.instance)
        return consumer, Reader(
            self._topic, name, consumer, self._inputs, self._handover, self._clock
        )
