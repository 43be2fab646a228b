"""The parts of the Kafka client library that this package uses, as protocols.

Tests run the same code against an in-memory broker (tests/streaming/fake_kafka.py).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Literal, Protocol

import confluent_kafka
from confluent_kafka import (
    KafkaError,
    Message,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, ClusterMetadata, ConfigResource, NewTopic, OffsetSpec

from operators.streaming.kafka.producer import RaisingProducer

Headers = list[tuple[str, str | bytes | None]]
OnDelivery = Callable[[KafkaError | None, "Message[bytes, bytes]"], None]
Config = dict[str, Any]
"""librdkafka's configuration properties."""


class Consumer(Protocol):
    """Reads assigned partitions, or as a member of a group those that the group assigns to it."""

    def subscribe(
        self,
        topics: list[str],
        *,
        on_assign: Any = None,
        on_revoke: Any = None,
        on_lost: Any = None,
    ) -> None:
        """Join the group. The callbacks get the consumer and the partitions, while it is polled."""
        ...

    def unsubscribe(self) -> None:
        """Leave the group, at the next poll."""
        ...

    def incremental_assign(self, partitions: list[TopicPartition], /) -> None: ...

    def incremental_unassign(self, partitions: list[TopicPartition], /) -> None: ...

    def pause(self, partitions: list[TopicPartition], /) -> None: ...

    def resume(self, partitions: list[TopicPartition], /) -> None: ...

    def seek(self, partition: TopicPartition, /) -> None: ...

    def poll(self, timeout: float = -1) -> Message[bytes, bytes] | None: ...

    def assign(self, partitions: list[TopicPartition], /) -> None: ...

    def consume(self, num_messages: int, timeout: float) -> list[Message[bytes, bytes]]: ...

    def list_topics(self, *args: Any, **kwargs: Any) -> ClusterMetadata: ...

    def get_watermark_offsets(
        self, partition: TopicPartition, timeout: float = -1, cached: bool = False
    ) -> tuple[int, int]:
        """The first offset, and the offset of the next record."""
        ...

    def committed(
        self, partitions: list[TopicPartition], timeout: float = -1
    ) -> list[TopicPartition]: ...

    def commit(
        self, *, offsets: list[TopicPartition], asynchronous: Literal[False]
    ) -> list[TopicPartition]:
        """Commit for a group; without having joined it, only while it has no members."""
        ...

    def consumer_group_metadata(self) -> Any: ...

    def close(self) -> None: ...


class Producer(Protocol):
    """Appends records; with a transactional id, in transactions."""

    def produce(
        self,
        topic: str,
        value: str | bytes | None = None,
        key: str | bytes | None = None,
        *,
        on_delivery: OnDelivery | None = None,
        headers: Headers | None = None,
    ) -> None:
        """Queue a record. Raises BufferError when the queue is full."""
        ...

    def poll(self, timeout: float = -1) -> int: ...

    def flush(self, timeout: float = -1) -> int: ...

    def __len__(self) -> int: ...

    def init_transactions(self, timeout: float = -1) -> None:
        """Fence off every earlier producer with this transactional id."""
        ...

    def begin_transaction(self) -> None: ...

    def send_offsets_to_transaction(
        self, positions: list[TopicPartition], group_metadata: Any, timeout: float = -1
    ) -> None: ...

    def commit_transaction(self, timeout: float = -1) -> None: ...

    def abort_transaction(self, timeout: float = -1) -> None: ...


class Admin(Protocol):
    """Describes topics and consumer groups, and creates topics."""

    def list_topics(self, *args: Any, **kwargs: Any) -> ClusterMetadata: ...

    def create_topics(
        self, new_topics: list[NewTopic], **kwargs: Any
    ) -> dict[str, Future[None]]: ...

    def describe_configs(
        self, resources: list[ConfigResource], **kwargs: Any
    ) -> dict[ConfigResource, Future[Any]]: ...

    def list_offsets(
        self, topic_partition_offsets: dict[TopicPartition, OffsetSpec], **kwargs: Any
    ) -> dict[TopicPartition, Future[Any]]: ...

    def describe_topics(self, topics: TopicCollection, **kwargs: Any) -> dict[str, Future[Any]]: ...

    def describe_consumer_groups(
        self, group_ids: list[str], **kwargs: Any
    ) -> dict[str, Future[Any]]: ...

    def poll(self, timeout: float = -1) -> int: ...


class Clients(Protocol):
    """Creates clients. Each raises KafkaException when it does not accept ``config``."""

    def admin(self, config: Config) -> Admin: ...

    def consumer(self, config: Config) -> Consumer: ...

    def producer(self, config: Config) -> Producer: ...


class ConfluentClients:
    """The clients of confluent-kafka."""

    def admin(self, config: Config) -> Admin:
        return AdminClient(config)

    def consumer(self, config: Config) -> Consumer:
        return confluent_kafka.Consumer(config)

    def producer(self, config: Config) -> Producer:
        return RaisingProducer(config)
