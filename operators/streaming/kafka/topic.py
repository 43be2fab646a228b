"""A Kafka topic, for people's commands and as what flows read and write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property, partial

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import OffsetSpec

from operators.streaming.kafka.brokers import OLD_EPOCH, Brokers
from operators.streaming.kafka.records import from_message, header_bytes, key_bytes
from schemas.errors import Misconfigured, Unavailable
from schemas.records import Position, Record

CHUNK = 1000
"""Messages taken at once."""


class KafkaTopic:
    """The topic ``name`` on ``brokers``."""

    def __init__(self, brokers: Brokers, name: str) -> None:
        self.name = name
        self.brokers = brokers

    @cached_property
    def partitions(self) -> int:
        """Raises Misconfigured when there is no such topic, Unavailable without an answer."""
        admin = self.brokers.admin
        with self.brokers.asked():
            try:
                # Of all topics: asked for by name, brokers may create it with their defaults.
                topics = admin.list_topics(timeout=self.brokers.settings.timeout_seconds).topics
            finally:
                admin.poll(0)
        if self.name not in topics:
            raise Misconfigured(
                f"there is no topic {self.name} on Kafka at {self.brokers.names}: run "
                "`looksync topics create`"
            )
        return len(topics[self.name].partitions)

    def append(self, records: Iterable[Record]) -> list[Position]:
        """Append ``records``, on all replicas in sync when this returns; their positions.

        Raises Unavailable when some could not be delivered: those before may have been.
        """
        positions: list[Position] = []
        failures: list[KafkaError] = []
        producer, unset = self.brokers.producer(), Position(self.name, -1, -1)

        def noted(index: int, error: KafkaError | None, message: Message[bytes, bytes]) -> None:
            if error is not None:
                failures.append(error)
            else:
                positions[index] = from_message(message).position or unset

        for index, record in enumerate(records):
            positions.append(unset)
            while True:
                try:
                    producer.produce(
                        self.name,
                        value=record.value,
                        key=key_bytes(record),
                        headers=header_bytes(record),
                        on_delivery=partial(noted, index),
                    )
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
        producer.flush()
        if failures:
            raise Unavailable(
                f"{self.name}: {len(failures)} of {len(positions)} records were not delivered: "
                f"{failures[0]}"
            )
        return positions

    def read(self, partition: int, offset: int = 0) -> Iterator[Record]:
        """The records from ``offset`` (or the first there is) to the present end."""
        for message in self.messages({partition: offset}):
            yield from_message(message)

    def messages(self, starts: dict[int, int]) -> Iterator[Message[bytes, bytes]]:
        """The messages of each partition from its start on (or from the first there is), to its
        present end, partitions mixed."""
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
            yield from self._consumed(consumer, set(todo), ends)
        finally:
            consumer.close()

    def _consumed(
        self, consumer: Consumer, todo: set[int], ends: dict[int, int]
    ) -> Iterator[Message[bytes, bytes]]:
        silent = 0.0
        while todo:
            messages = consumer.consume(CHUNK, 1.0)
            silent = 0.0 if messages else silent + 1.0
            if silent > self.brokers.settings.timeout_seconds:
                raise Unavailable(f"Kafka at {self.brokers.names} stopped answering")
            for message in messages:
                partition, offset = message.partition(), message.offset()
                assert partition is not None
                assert offset is not None
                error = message.error()
                if error is None and offset < ends[partition]:
                    yield message
                elif error is not None and error.code() != KafkaError._PARTITION_EOF:
                    raise self.brokers.explained(error)
                # Past the end, or at it: the last offsets may be markers that are no messages.
                if offset + (error is None) >= ends[partition]:
                    todo.discard(partition)

    def end_offsets(self) -> dict[int, int]:
        """Per partition, the offset that its next record will have."""
        return self._offsets(OffsetSpec.latest())  # type: ignore[no-untyped-call]

    def _offsets(self, spec: OffsetSpec) -> dict[int, int]:
        partitions = [TopicPartition(self.name, p) for p in range(self.partitions)]
        timeout = self.brokers.settings.timeout_seconds
        admin = self.brokers.admin

        def asked() -> dict[int, int]:
            answers = admin.list_offsets(dict.fromkeys(partitions, spec), request_timeout=timeout)
            try:
                return {at.partition: int(a.result(timeout).offset) for at, a in answers.items()}
            except KafkaException as error:
                if error.args[0].code() in OLD_EPOCH:
                    # The client would go on asking with the leaders that it knows for minutes.
                    admin.list_topics(self.name, timeout=timeout)
                raise

        return self.brokers.ask(asked)
