"""Reads the partitions that this process has, ahead of the engine; judges the client's errors."""

from __future__ import annotations

from collections.abc import Collection

import structlog
from confluent_kafka import KafkaError, Message, TopicPartition

from operators.streaming.kafka.clients import Consumer
from operators.streaming.kafka.clock import Clock
from operators.streaming.kafka.handover import Handover
from operators.streaming.kafka.inputs import Inputs
from operators.streaming.kafka.membership import Membership
from operators.streaming.kafka.records import from_message
from operators.streaming.kafka.topic import KafkaTopic
from schemas.errors import Misconfigured

log = structlog.get_logger()

POLL_SECONDS = 0.01
"""How long a poll waits for a record; outputs wait as long for their transaction to begin."""
READ_BATCH = 2000
PAUSE_AFTER_SECONDS = 1.0
"""How long reading waits for the engine before the partitions are paused: a pause throws away what
the client has fetched, so it does not begin at once; and a member must not stop polling."""
FULL_SECONDS = 0.005


class FencedOff(Exception):
    """Somebody has joined the group under the static id of this process; its consumer is dead."""


class Reader:
    """Polls ``consumer``. All methods are for the thread of the group's member."""

    def __init__(
        self,
        topic: KafkaTopic,
        membership: Membership,
        consumer: Consumer,
        inputs: Inputs,
        handover: Handover,
        clock: Clock,
    ) -> None:
        self._topic = topic
        self._name = membership
        self._consumer = consumer
        self._inputs = inputs
        self._handover = handover
        self._clock = clock
        self._full_since: float | None = None
        self._paused = False
        self._read: dict[int, int] = {}
        """Per partition, the offset of the next record to be read."""

    def read(self, seconds: float) -> None:
        """Read what there is, or wait ``seconds`` for it; nothing while enough has been read.

        Raises FencedOff, or Misconfigured or Unavailable for another error that ends the reading.
        """
        if self._may_read():
            self._poll(seconds)
        else:
            self._clock.sleep(FULL_SECONDS)

    def assign(self, starts: dict[int, int]) -> None:
        """Read the partitions in ``starts``, too, from these offsets."""
        self._read |= starts
        self._consumer.incremental_assign(
            [TopicPartition(self._topic.name, *start) for start in starts.items()]
        )
        if self._paused and starts:
            self._consumer.pause(self._places(starts))

    def unassign(self, partitions: Collection[int]) -> None:
        for partition in partitions:
            self._read.pop(partition, None)
        self._consumer.incremental_unassign(self._places(partitions))

    def lag(self) -> dict[int, int]:
        """Per partition, the records that have not been emitted."""
        lag = {}
        for partition, offset in self._inputs.offsets().items():
            place = TopicPartition(self._topic.name, partition)
            _, end = self._consumer.get_watermark_offsets(place, cached=True)
            lag[partition] = max(0, end - offset)
        return lag

    def _may_read(self) -> bool:
        """Whether to poll: when there is room, or the partitions are paused."""
        now = self._clock.monotonic()
        if self._paused and self._inputs.wants_more:
            self._consumer.resume(self._places(self._inputs.assigned))
            self._paused = False
        if not self._inputs.read_enough:
            self._full_since = None
            return True
        self._full_since = self._full_since or now
        if not self._paused and now - self._full_since > PAUSE_AFTER_SECONDS:
            self._consumer.pause(self._places(self._inputs.assigned))
            self._paused = True
        return self._paused

    def _poll(self, seconds: float) -> None:
        first = self._consumer.poll(seconds)
        if first is None:
            return
        for message in [first, *self._consumer.consume(READ_BATCH, 0.0)]:
            error = message.error()
            if error is not None:
                self._on_error(error, message)
                continue
            record = from_message(message)
            assert record.position is not None, "a record that was read"
            self._read[record.position.partition] = record.position.offset + 1
            self._inputs.append(record.position.partition, record)

    def _on_error(self, error: KafkaError, message: Message[bytes, bytes]) -> None:
        partition, offset = message.partition(), message.offset()
        match error.code():
            case KafkaError._PARTITION_EOF:
                # The last offsets may be transaction markers, which are not delivered.
                assert partition is not None
                self._inputs.append(partition, offset or 0)
            case KafkaError._AUTO_OFFSET_RESET if partition in self._read:
                first = self._handover.skip_gap(partition, self._read[partition])
                self._read[partition] = first
                self._inputs.append(partition, first)
                self._consumer.seek(TopicPartition(self._topic.name, partition, first))
            case KafkaError.UNKNOWN_TOPIC_OR_PART | KafkaError._UNKNOWN_PARTITION:
                self._topic.identity()
                log.warning("kafka consumer", error=error.str())
            case KafkaError.FENCED_INSTANCE_ID | KafkaError.UNRELEASED_INSTANCE_ID:
                raise FencedOff
            case KafkaError._FATAL:
                # This client reads nothing any more. The cause is only in the words.
                if KafkaError(KafkaError.FENCED_INSTANCE_ID).str() in error.str():
                    raise FencedOff
                raise self._topic.brokers.to_error(error)
            case KafkaError.INCONSISTENT_GROUP_PROTOCOL | KafkaError.UNSUPPORTED_VERSION:
                raise Misconfigured(
                    f"{self._name.group}: {error.str()}: the group's members, or the brokers, "
                    "speak another protocol; set topics.kafka.group_protocol"
                )
            case _ if isinstance(refusal := self._topic.brokers.to_error(error), Misconfigured):
                raise refusal
            case _:
                log.warning("kafka consumer", topic=self._topic.name, error=error.str())

    def _places(self, partitions: Collection[int]) -> list[TopicPartition]:
        return [TopicPartition(self._topic.name, partition) for partition in partitions]
