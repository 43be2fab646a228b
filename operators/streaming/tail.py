"""Follow a topic outside the engine: what is new, in order per partition."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

import structlog
from confluent_kafka import KafkaError, TopicPartition

from operators.streaming.files.topic import FileTopic, PartitionReader
from operators.streaming.kafka.clients import Consumer
from operators.streaming.kafka.records import from_message
from operators.streaming.kafka.topic import KafkaTopic
from schemas.errors import Misconfigured
from schemas.records import Record

log = structlog.get_logger()

AT_ONCE = 500
"""Records per batch."""
BYTES_AT_ONCE = 8 * 2**20
POLL_SECONDS = 0.1


class _Reader(Protocol):
    def read(self) -> list[Record]:
        """What is new; empty after at most about ``POLL_SECONDS``. Blocks."""
        ...

    def close(self) -> None: ...


class Tail:
    """Reads what comes on a topic."""

    def __init__(self, reader: _Reader, pause_seconds: float) -> None:
        self._reader = reader
        self._pause = pause_seconds

    async def batches(self) -> AsyncIterator[list[Record]]:
        """The records, in batches, without end. Raises Misconfigured when Kafka refuses."""
        while True:
            if records := await asyncio.to_thread(self._reader.read):
                yield records
            else:
                await asyncio.sleep(self._pause)

    def close(self) -> None:
        self._reader.close()


async def open_tail(topic: FileTopic | KafkaTopic, starts: Mapping[int, int]) -> Tail:
    """Open ``topic`` at ``starts`` (partition -> offset of a record), or else at its present end.

    What was deleted meanwhile is left out. Raises Misconfigured or Unavailable when the topic
    cannot be opened.
    """
    if isinstance(topic, FileTopic):
        return Tail(await asyncio.to_thread(_FileReader, topic, starts), POLL_SECONDS)
    return Tail(await asyncio.to_thread(_KafkaReader, topic, starts), 0.0)


class _FileReader:
    def __init__(self, topic: FileTopic, starts: Mapping[int, int]) -> None:
        self._topic = topic
        self._readers = {
            partition: PartitionReader(topic, partition, min(starts.get(partition, end), end))
            for partition, end in topic.end_offsets().items()
        }

    def read(self) -> list[Record]:
        found: list[Record] = []
        for partition, reader in self._readers.items():
            if reader.size < reader.offset:
                # A flow's recovery has cut off what an unfinished epoch wrote; it comes again.
                reader.close()
                end = self._topic.end_offsets()[partition]
                self._readers[partition] = reader = PartitionReader(self._topic, partition, end)
            found += reader.read(AT_ONCE, BYTES_AT_ONCE)
        return found

    def close(self) -> None:
        for reader in self._readers.values():
            reader.close()


class _KafkaReader:
    def __init__(self, topic: KafkaTopic, starts: Mapping[int, int]) -> None:
        self._topic = topic
        first = {p: min(starts.get(p, end), end) for p, end in topic.end_offsets().items()}
        self._consumer: Consumer = topic.brokers.consumer(
            "looksync.tail", **{"auto.offset.reset": "earliest"}
        )
        self._consumer.assign([TopicPartition(topic.name, *start) for start in first.items()])

    def read(self) -> list[Record]:
        found: list[Record] = []
        for message in self._consumer.consume(AT_ONCE, POLL_SECONDS):
            error = message.error()
            if error is None:
                found.append(from_message(message))
            elif error.code() != KafkaError._PARTITION_EOF:
                refusal = self._topic.brokers.to_error(error)
                if isinstance(refusal, Misconfigured):
                    raise refusal
                log.warning("kafka consumer", topic=self._topic.name, error=error.str())
        return found

    def close(self) -> None:
        self._consumer.close()
