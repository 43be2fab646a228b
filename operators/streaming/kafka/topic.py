"""A Kafka topic, as commands and flows use it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cached_property, partial

from confluent_kafka import (
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import OffsetSpec

from operators.streaming.kafka.brokers import Brokers, refreshing
from operators.streaming.kafka.clients import Consumer, Producer
from operators.streaming.kafka.progress import TopicIdentity
from operators.streaming.kafka.records import from_message, header_bytes, key_bytes
from schemas.errors import Misconfigured, Unavailable
from schemas.records import Position, Record

CHUNK = 1000
"""Messages per consume call."""
CONSUME_SECONDS = 1.0
"""Longest wait of a consume call."""


REPORT_SECONDS = 0.01
"""Longest wait for a report that another thread may have got."""


class KafkaTopic:
    """The topic ``name`` on ``brokers``."""

    def __init__(self, brokers: Brokers, name: str) -> None:
        self.name = name
        self.brokers = brokers
        self._opening = threading.Lock()
        self._kept: Producer | None = None

    @cached_property
    def partitions(self) -> int:
        """Raises Misconfigured without such a topic, Unavailable without an answer."""
        admin = self.brokers.admin
        with self.brokers.reporting_outages():
            try:
                # List all topics: brokers may create a topic that is requested by name.
                topics = admin.list_topics(timeout=self.brokers.settings.timeout_seconds).topics
            finally:
                admin.poll(0)
        if self.name not in topics:
            raise Misconfigured(
                f"there is no topic {self.name} on Kafka at {self.brokers.addresses}: run "
                "`looksync topics create`"
            )
        return len(topics[self.name].partitions)

    def identity(self) -> TopicIdentity:
        """Which topic has this name now. Raises Misconfigured without one, or Unavailable."""
        brokers = self.brokers
        timeout = brokers.settings.timeout_seconds

        def request() -> TopicIdentity | None:
            described = brokers.admin.describe_topics(
                TopicCollection([self.name]), request_timeout=timeout
            )
            cluster = brokers.admin.list_topics(timeout=timeout).cluster_id
            try:
                topic = described[self.name].result(timeout)
            except KafkaException as error:
                if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    return None
                raise
            return TopicIdentity(str(cluster), str(topic.topic_id))

        identity = brokers.retry(request)
        if identity is None:
            raise Misconfigured(
                f"the topic {self.name} has been deleted from Kafka at {brokers.addresses}: run "
                "`looksync topics create`"
            )
        return identity

    def append(self, records: Iterable[Record]) -> list[Position]:
        """Append ``records`` to all in-sync replicas; their positions, in order.

        Several threads may append at once.

        Raises Unavailable when some were not delivered; others may have been.
        """
        producer = self._producer()
        try:
            with self.brokers.reporting_outages():
                return self._append(producer, records)
        except (Misconfigured, Unavailable):
            self._forget(producer)
            raise

    def _append(self, producer: Producer, records: Iterable[Record]) -> list[Position]:
        positions: list[Position] = []
        failures: list[KafkaError] = []
        reported: list[int] = []
        unset = Position(self.name, -1, -1)

        def note(index: int, error: KafkaError | None, message: Message[bytes, bytes]) -> None:
            if error is not None:
                failures.append(error)
            else:
                positions[index] = from_message(message).position or unset
            reported.append(index)

        for index, record in enumerate(records):
            positions.append(unset)
            while True:
                try:
                    producer.produce(
                        self.name,
                        value=record.value,
                        key=key_bytes(record),
                        headers=header_bytes(record),
                        on_delivery=partial(note, index),
                    )
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
        # Not flush(), which waits for other threads' records, and may return while another thread
        # has yet to report one of ours. A fatal error that another thread meets may lose reports.
        until = time.monotonic() + self.brokers.settings.delivery_timeout_seconds + 1.0
        while len(reported) < len(positions):
            served = producer.poll(REPORT_SECONDS)
            if not served and time.monotonic() > until:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "records not reported"))
        if failures:
            raise Unavailable(
                f"{self.name}: {len(failures)} of {len(positions)} records were not delivered: "
                f"{failures[0].str()}"
            )
        return positions

    def _producer(self) -> Producer:
        """Kept open: connecting takes longer than appending."""
        with self._opening:
            if self._kept is None:
                self._kept = self.brokers.producer()
            return self._kept

    def _forget(self, producer: Producer) -> None:
        """The next call opens another one: after some errors a producer refuses all records."""
        with self._opening:
            if self._kept is producer:
                self._kept = None

    def read(self, partition: int, offset: int = 0) -> Iterator[Record]:
        """The records from ``offset`` (or the first that exists) to the present end."""
        for message in self.messages({partition: offset}):
            yield from_message(message)

    def messages(self, starts: dict[int, int]) -> Iterator[Message[bytes, bytes]]:
        """The messages of each partition in ``starts`` from its offset there (or the first that
        exists) to its present end; the partitions interleave."""
        ends = self.end_offsets()
        if all(start >= ends[partition] for partition, start in starts.items()):
            return
        firsts = self._offsets(OffsetSpec.earliest())  # type: ignore[no-untyped-call]
        todo = {p: max(start, firsts[p]) for p, start in starts.items()}
        todo = {p: start for p, start in todo.items() if start < ends[p]}
        if not todo:
            return
        consumer = self.brokers.consumer("looksync.reader", **{"enable.partition.eof": True})
        try:
            consumer.assign([TopicPartition(self.name, p, start) for p, start in todo.items()])
            yield from self._consume(consumer, set(todo), ends)
        finally:
            consumer.close()

    def _consume(
        self, consumer: Consumer, todo: set[int], ends: dict[int, int]
    ) -> Iterator[Message[bytes, bytes]]:
        silent = 0.0
        while todo:
            messages = consumer.consume(CHUNK, CONSUME_SECONDS)
            silent = 0.0 if messages else silent + CONSUME_SECONDS
            if silent > self.brokers.settings.timeout_seconds:
                raise Unavailable(f"Kafka at {self.brokers.addresses} stopped answering")
            for message in messages:
                error = message.error()
                if error is not None and error.code() != KafkaError._PARTITION_EOF:
                    raise self.brokers.to_error(error)
                partition, offset = message.partition(), message.offset()
                assert partition is not None
                assert offset is not None
                if error is None and offset < ends[partition]:
                    yield message
                # At or past the end: the last offsets may be markers, which are not delivered.
                if offset + (error is None) >= ends[partition]:
                    todo.discard(partition)

    def end_offsets(self) -> dict[int, int]:
        """Per partition, the offset after the last record that readers can see.

        An open transaction hides what comes after its first record, for longer than a request may
        take when its process was killed.
        """
        return self._offsets(OffsetSpec.latest())  # type: ignore[no-untyped-call]

    def offsets_at(self, moment: datetime) -> dict[int, int]:
        """Per partition, the offset of the first record since ``moment``; without one, the end."""
        milliseconds = int(moment.timestamp() * 1000)
        found = self._offsets(OffsetSpec.for_timestamp(milliseconds))
        ends = self.end_offsets()
        return {p: offset if offset >= 0 else ends[p] for p, offset in found.items()}

    def _offsets(self, spec: OffsetSpec) -> dict[int, int]:
        partitions = [TopicPartition(self.name, p) for p in range(self.partitions)]
        timeout = self.brokers.settings.timeout_seconds
        admin = self.brokers.admin

        def request() -> dict[int, int]:
            answers = admin.list_offsets(
                dict.fromkeys(partitions, spec),
                request_timeout=timeout,
                isolation_level=IsolationLevel.READ_COMMITTED,
            )
            return {at.partition: int(a.result(timeout).offset) for at, a in answers.items()}

        return self.brokers.retry(partial(refreshing, admin, self.name, timeout, request))
