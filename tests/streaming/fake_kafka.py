"""Kafka in memory, with the clients of confluent-kafka as far as the code uses them.

Topics with ids, offsets, end-of-partition events and deleted beginnings; groups whose members get
and give back partitions when they poll, with static ids, generations and committed offsets;
producers whose records become visible at poll or flush; transactions with markers, fenced by
transactional id and by the group's generation. No request takes time, and members are only lost
when a test says so.

Longer than 300 lines: the clients share the cluster's state.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from copy import copy
from dataclasses import dataclass, field
from itertools import count
from threading import Event, RLock
from types import SimpleNamespace
from typing import Any, Literal, NoReturn
from zlib import crc32

from confluent_kafka import (
    ConsumerGroupState,
    KafkaError,
    KafkaException,
    Message,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    BrokerMetadata,
    ClusterMetadata,
    ConfigEntry,
    ConfigResource,
    ListOffsetsResultInfo,
    NewTopic,
    OffsetSpec,
    PartitionMetadata,
    TopicMetadata,
)

from operators.streaming.kafka.clients import Admin, Config, Consumer, Headers, OnDelivery, Producer

QUEUE_RECORDS = 1000
"""What a producer's queue holds."""


@dataclass(frozen=True)
class Entry:
    """A record in a partition, or a transaction marker."""

    key: bytes | None = None
    value: bytes | None = None
    headers: Headers | None = None
    marker: bool = False
    time_ms: int = 0


@dataclass
class Log:
    """One partition."""

    entries: list[Entry] = field(default_factory=list)
    first: int = 0
    """Offset of the first entry that has not been deleted."""

    @property
    def end(self) -> int:
        return len(self.entries)


@dataclass
class Group:
    """A consumer group. Partitions are those of all topics that its members subscribe to."""

    generation: int = 0
    members: dict[str, _Consumer] = field(default_factory=dict)
    """By static id, in the order in which they joined."""
    owners: dict[tuple[str, int], str] = field(default_factory=dict)
    """Who has a partition; it has to be given back before another member gets it."""
    targets: dict[tuple[str, int], str] = field(default_factory=dict)
    """Who is to have it."""

    def rebalance(self, logs: dict[str, list[Log]]) -> None:
        """Spread the partitions evenly; each member keeps what it can."""
        self.generation += 1
        topics = sorted({topic for member in self.members.values() for topic in member.topics})
        places = [(topic, p) for topic in topics for p in range(len(logs.get(topic, ())))]
        shares = {
            name: len(places) // len(self.members) + (n < len(places) % len(self.members))
            for n, name in enumerate(self.members)
        }
        kept: dict[tuple[str, int], str] = {}
        for place in places:
            owner = self.owners.get(place, "")
            if shares.get(owner, 0):
                kept[place] = owner
                shares[owner] -= 1
        free = iter([name for name, share in shares.items() for _ in range(share)])
        self.targets = {place: kept.get(place) or next(free) for place in places}


class FakeKafka:
    """The cluster; it creates its clients."""

    def __init__(self) -> None:
        self.lock = RLock()
        self._numbers = count(1)
        self.logs: dict[str, list[Log]] = {}
        self.offsets: dict[tuple[str, str, int], tuple[int, str]] = {}
        """(group, topic, partition) -> committed offset and metadata."""
        self.groups: dict[str, Group] = defaultdict(Group)
        self.cluster_id = "cluster-a"
        self.topic_ids: dict[str, str] = {}
        self.producer_epochs: dict[str, int] = {}
        self.open_offsets: dict[tuple[str, str, int], str] = {}
        """(group, topic, partition) -> transactional id of the open transaction that changes it."""
        self.open_transactions: set[str] = set()
        """Transactional ids."""
        self.time_ms = 0
        """The time of records that are produced now."""
        self.down = False
        """While set, requests time out and no record is delivered."""
        self.on_poll: Callable[[], None] = lambda: None
        """Called whenever a producer is polled."""
        self.on_request: Callable[[str], None] = lambda name: None
        """Called with the name of each request before it is answered."""
        self.errors: dict[str, deque[KafkaError]] = defaultdict(deque)
        """Per request, errors with which the brokers answer the next ones."""
        self.events: deque[KafkaError] = deque()
        """Errors that the next consumer finds among its messages."""
        self.connection_errors: deque[KafkaError] = deque()
        """Errors that the admin client reports when it is polled."""
        self.silent_after: int | None = None
        """How many more records consumers receive before the brokers send none; None: all."""
        self.silent_consumes = 0
        """How often a consumer has received nothing since."""
        self.open_consumers = 0
        self.stuck: Event | None = None
        """The next request of a producer to add offsets does not return before it is set."""
        self.undeliverable: KafkaError | None = None
        """While set, producers report it for each record instead of delivering it."""
        self.configs: list[Config] = []
        """Of all clients, in the order of their creation."""
        self.topic_configs: dict[str, dict[str, str]] = {}
        self.broker_config: dict[str, str] = {}
        self.replicas = 1

    def create(self, topic: str, partitions: int) -> None:
        """Create it, or delete it and create it again."""
        self.logs[topic] = [Log() for _ in range(partitions)]
        self.topic_ids[topic] = f"id-{next(self._numbers)}"

    def add_partitions(self, topic: str, number: int) -> None:
        self.logs[topic] += [Log() for _ in range(number)]
        for group in self.groups.values():
            group.rebalance(self.logs)

    def expire(self, group: str, instance: str) -> None:
        """A member has sent no heartbeat for the session timeout."""
        found = self.groups[group]
        if found.members.pop(instance, None) is not None:
            found.owners = {at: name for at, name in found.owners.items() if name != instance}
            found.rebalance(self.logs)

    def join_late(self, group: str, instance: str) -> None:
        """Answer a join of this member for the second time, when it has given up the first."""
        members = self.groups[group].members
        members[instance] = copy(members[instance])

    def delete_before(self, topic: str, partition: int, offset: int) -> None:
        """Delete old records, as the retention time does."""
        self.logs[topic][partition].first = offset

    def metadata(self, timeout: float) -> ClusterMetadata:
        self.answer("list_topics", timeout)
        metadata = ClusterMetadata()
        metadata.cluster_id = self.cluster_id  # type: ignore[assignment]
        metadata.topics = {}
        metadata.brokers = {1: BrokerMetadata()}
        for name, logs in self.logs.items():
            topic = metadata.topics[name] = TopicMetadata()
            topic.partitions = {}
            for partition in range(len(logs)):
                topic.partitions[partition] = PartitionMetadata()
                topic.partitions[partition].replicas = list(range(self.replicas))
        return metadata

    def answer(self, request: str, timeout: float) -> None:
        """Raise the error that ``request`` is answered with, if any."""
        self.on_request(request)
        assert timeout >= 0, "a request without a timeout waits forever in an outage"
        if self.down:
            fail(KafkaError._TIMED_OUT)
        if self.errors[request]:
            raise KafkaException(self.errors[request].popleft())

    def admin(self, config: Config) -> Admin:
        self._note(config)
        return _Admin(self, config)

    def consumer(self, config: Config) -> Consumer:
        self._note(config)
        return _Consumer(self, config)

    def producer(self, config: Config) -> Producer:
        self._note(config)
        transaction = config.get("transaction.timeout.ms", 60_000)
        if "transactional.id" in config and config["delivery.timeout.ms"] > transaction:
            fail(KafkaError._INVALID_ARG)  # as librdkafka
        return _Producer(self, config)

    def _note(self, config: Config) -> None:
        if self.errors["create"]:
            raise KafkaException(self.errors["create"].popleft())
        self.configs.append(config)


def fail(code: int) -> NoReturn:
    raise KafkaException(KafkaError(code))


class _Consumer:
    def __init__(self, kafka: FakeKafka, config: Config) -> None:
        self._kafka = kafka
        kafka.open_consumers += 1
        self._group = config["group.id"]
        self._instance: str = config.get("group.instance.id", "")
        self._stable = config.get("isolation.level") != "read_uncommitted"
        self._reports_eof = config.get("enable.partition.eof", False)
        self._next: dict[tuple[str, int], int] = {}
        self._reported: set[tuple[str, int]] = set()
        """Partitions whose end has been reported."""
        self._gaps: set[tuple[str, int]] = set()
        """Partitions whose deleted offset has been reported."""
        self._paused: set[tuple[str, int]] = set()
        self.topics: list[str] = []
        self._callbacks: dict[str, Callable[[Any, list[TopicPartition]], None]] = {}
        self._generation = 0
        self._assigned_once = False
        self._in_callback = False

    def subscribe(
        self,
        topics: list[str],
        *,
        on_assign: Any = None,
        on_revoke: Any = None,
        on_lost: Any = None,
    ) -> None:
        self.topics = topics
        self._callbacks = {"assign": on_assign, "revoke": on_revoke, "lost": on_lost}
        self._join()

    def unsubscribe(self) -> None:
        self.topics = []

    def _join(self) -> None:
        with self._kafka.lock:
            group = self._kafka.groups[self._group]
            known = self._instance in group.members
            group.members[self._instance] = self
            if not known:
                group.rebalance(self._kafka.logs)

    def poll(self, timeout: float = -1) -> Message[bytes, bytes] | None:
        if self._kafka.down:
            if not self.topics:
                self._call("revoke", list(self._next))
            return None
        group = self._kafka.groups[self._group]
        member = group.members.get(self._instance)
        if self.topics and member is not None and member is not self:
            return _event(KafkaError.FENCED_INSTANCE_ID, self.topics[0], 0, -1)
        if member is not self:
            self._call("lost", list(self._next))
            if self.topics:
                self._join()
        if not self.topics and member is self:
            self._leave(group)
        if self.topics:
            self._reconcile(group)
        messages = self.consume(1, timeout)
        return messages[0] if messages else None

    def _reconcile(self, group: Group) -> None:
        self._generation = group.generation
        mine = {at for at, name in group.targets.items() if name == self._instance}
        if given_back := [at for at in self._next if at not in mine]:
            self._call("revoke", given_back)
        kept = mine | self._next.keys()  # an earlier consumer of this member may have had others
        group.owners = {
            at: name for at, name in group.owners.items() if name != self._instance or at in kept
        }
        new = [
            at for at in mine - self._next.keys() if group.owners.get(at) in (None, self._instance)
        ]
        group.owners.update(dict.fromkeys(new, self._instance))
        if new or not self._assigned_once:
            self._assigned_once = True
            self._call("assign", sorted(new))

    def _leave(self, group: Group) -> None:
        self._generation = group.generation
        self._call("revoke", list(self._next))
        group.members.pop(self._instance, None)
        group.owners = {at: name for at, name in group.owners.items() if name != self._instance}
        group.rebalance(self._kafka.logs)

    def _call(self, name: str, places: list[tuple[str, int]]) -> None:
        if places or name == "assign":
            self._in_callback = True
            try:
                self._callbacks[name](self, [TopicPartition(*place) for place in places])
            finally:
                self._in_callback = False

    def incremental_assign(self, partitions: list[TopicPartition], /) -> None:
        self._next |= {(at.topic, at.partition): at.offset for at in partitions}

    def incremental_unassign(self, partitions: list[TopicPartition], /) -> None:
        for at in partitions:
            self._next.pop((at.topic, at.partition), None)
            self._reported.discard((at.topic, at.partition))
            self._paused.discard((at.topic, at.partition))

    def pause(self, partitions: list[TopicPartition], /) -> None:
        self._paused |= {(at.topic, at.partition) for at in partitions}

    def resume(self, partitions: list[TopicPartition], /) -> None:
        self._paused -= {(at.topic, at.partition) for at in partitions}

    def seek(self, partition: TopicPartition, /) -> None:
        self._next[partition.topic, partition.partition] = partition.offset
        self._gaps.discard((partition.topic, partition.partition))

    def assign(self, partitions: list[TopicPartition], /) -> None:
        self._next = {(at.topic, at.partition): at.offset for at in partitions}
        self._reported.clear()
        self._gaps.clear()

    def consume(self, num_messages: int, timeout: float) -> list[Message[bytes, bytes]]:
        messages: list[Message[bytes, bytes]] = []
        if (left := self._kafka.silent_after) is not None:
            self._kafka.silent_consumes += not left
            if not left:
                return []
            num_messages = left
            self._kafka.silent_after = 0
        with self._kafka.lock:
            for topic, partition in self._next if self._kafka.events else ():
                error = self._kafka.events.popleft()
                return [Message(topic=topic, partition=partition, offset=-1, error=error)]
            for topic, partition in () if self._kafka.down else self._next:
                if (topic, partition) not in self._paused and topic in self._kafka.logs:
                    self._consume(topic, partition, num_messages, messages)
        return messages

    def _consume(
        self, topic: str, partition: int, limit: int, messages: list[Message[bytes, bytes]]
    ) -> None:
        at, log = (topic, partition), self._kafka.logs[topic][partition]
        if not log.first <= self._next[at] <= log.end:
            if at not in self._gaps:
                self._gaps.add(at)
                messages.append(_event(KafkaError._AUTO_OFFSET_RESET, topic, partition, -1))
            return
        while len(messages) < limit and self._next[at] < log.end:
            offset = self._next[at]
            self._next[at] += 1
            self._reported.discard(at)
            entry = log.entries[offset]
            if not entry.marker:
                messages.append(
                    Message(
                        topic=topic,
                        partition=partition,
                        offset=offset,
                        key=entry.key,
                        value=entry.value,
                        headers=entry.headers,
                    )
                )
        ended = self._next[at] == log.end and at not in self._reported
        if self._reports_eof and ended and len(messages) < limit:
            self._reported.add(at)
            messages.append(_event(KafkaError._PARTITION_EOF, topic, partition, log.end))

    def list_topics(self, *args: Any, **kwargs: Any) -> ClusterMetadata:
        assert not self._in_callback, "the client's next callback would end the process"
        return self._kafka.metadata(kwargs.get("timeout", -1))

    def get_watermark_offsets(
        self, partition: TopicPartition, timeout: float = -1, cached: bool = False
    ) -> tuple[int, int]:
        if not cached:
            self._kafka.answer("watermarks", timeout)
        log = self._kafka.logs[partition.topic][partition.partition]
        return log.first, log.end

    def committed(
        self, partitions: list[TopicPartition], timeout: float = -1
    ) -> list[TopicPartition]:
        self._kafka.answer("committed", timeout)
        with self._kafka.lock:
            places = {(self._group, at.topic, at.partition) for at in partitions}
            if self._stable and places & self._kafka.open_offsets.keys():
                fail(KafkaError.UNSTABLE_OFFSET_COMMIT)
            return [
                TopicPartition(
                    at.topic,
                    at.partition,
                    *self._kafka.offsets.get((self._group, at.topic, at.partition), (-1001, "")),
                )
                for at in partitions
            ]

    def commit(
        self, *, offsets: list[TopicPartition], asynchronous: Literal[False]
    ) -> list[TopicPartition]:
        self._kafka.answer("commit", 0)
        with self._kafka.lock:
            if not self.topics and self._kafka.groups[self._group].members:
                fail(KafkaError.UNKNOWN_MEMBER_ID)
            _commit(self._kafka, self._group, offsets)
        return offsets

    def consumer_group_metadata(self) -> tuple[str, int]:
        return self._group, self._generation

    def close(self) -> None:
        self._kafka.open_consumers -= 1
        if self.topics and self._next:
            self._call("revoke", list(self._next))
        self._next = {}


class _Producer:
    def __init__(self, kafka: FakeKafka, config: Config) -> None:
        self._kafka = kafka
        self._id: str | None = config.get("transactional.id")
        self._only_errors = config.get("delivery.report.only.error", False)
        self._on_delivery: OnDelivery = config.get("on_delivery", lambda *_: None)
        self._epoch = 0
        self._queue: deque[tuple[str, Entry, OnDelivery | None]] = deque()
        self._transaction: list[tuple[str, Entry]] | None = None
        self._offsets: list[tuple[tuple[str, int], list[TopicPartition]]] = []

    def produce(
        self,
        topic: str,
        value: str | bytes | None = None,
        key: str | bytes | None = None,
        *,
        on_delivery: OnDelivery | None = None,
        headers: Headers | None = None,
    ) -> None:
        if len(self._queue) >= QUEUE_RECORDS:
            raise BufferError("the queue is full")
        if self._id is not None and self._transaction is None:
            fail(KafkaError._STATE)
        assert not isinstance(value, str)
        assert not isinstance(key, str)
        self._queue.append(
            (topic, Entry(key, value, headers, time_ms=self._kafka.time_ms), on_delivery)
        )

    def poll(self, timeout: float = -1) -> int:
        self._kafka.on_poll()
        delivered = 0
        with self._kafka.lock:
            while self._queue and not self._kafka.down:
                self._deliver(*self._queue.popleft())
                delivered += 1
        return delivered

    def flush(self, timeout: float = -1) -> int:
        self.poll()
        return len(self._queue)

    def __len__(self) -> int:
        return len(self._queue)

    def _deliver(self, topic: str, entry: Entry, on_delivery: OnDelivery | None) -> None:
        if self._kafka.undeliverable is not None:
            report = on_delivery or self._on_delivery
            report(self._kafka.undeliverable, Message(topic=topic, key=entry.key))
            return
        if self._transaction is not None:
            self._transaction.append((topic, entry))
            return
        partition, offset = _append(self._kafka, topic, entry)
        if on_delivery is not None and not self._only_errors:
            on_delivery(
                None, Message(topic=topic, partition=partition, offset=offset, key=entry.key)
            )

    def init_transactions(self, timeout: float = -1) -> None:
        self._kafka.answer("init_transactions", timeout)
        assert self._id is not None, "a transactional producer"
        with self._kafka.lock:
            self._epoch = self._kafka.producer_epochs.get(self._id, 0) + 1
            self._kafka.producer_epochs[self._id] = self._epoch
            self._end()

    def begin_transaction(self) -> None:
        if self._transaction is not None:
            fail(KafkaError._STATE)
        self._transaction, self._offsets = [], []
        assert self._id is not None, "a transactional producer"
        self._kafka.open_transactions.add(self._id)

    def send_offsets_to_transaction(
        self, positions: list[TopicPartition], group_metadata: Any, timeout: float = -1
    ) -> None:
        stuck, self._kafka.stuck = self._kafka.stuck, None
        if stuck is not None:
            stuck.wait()
        self._require_epoch(timeout)
        group, _ = group_metadata
        self._require_generation(group_metadata)
        self._offsets.append((group_metadata, positions))
        assert self._id is not None, "a transactional producer"
        for at in positions:
            self._kafka.open_offsets[group, at.topic, at.partition] = self._id

    def commit_transaction(self, timeout: float = -1) -> None:
        self.flush(timeout)
        with self._kafka.lock:
            self._require_epoch(timeout)
            if self._transaction is None:
                fail(KafkaError._STATE)
            touched = {
                (topic, _append(self._kafka, topic, entry)[0]) for topic, entry in self._transaction
            }
            for topic, partition in touched:
                self._kafka.logs[topic][partition].entries.append(Entry(marker=True))
            for (group, _), positions in self._offsets:
                _commit(self._kafka, group, positions)
            self._end()
        self._transaction = None
        if self._kafka.errors["committed_transaction"]:  # the answer is lost
            raise KafkaException(self._kafka.errors["committed_transaction"].popleft())

    def abort_transaction(self, timeout: float = -1) -> None:
        self._require_epoch(timeout)
        self._queue.clear()
        self._end()
        self._transaction = None

    def _end(self) -> None:
        self._kafka.open_transactions -= {self._id}
        for at in [at for at, owner in self._kafka.open_offsets.items() if owner == self._id]:
            del self._kafka.open_offsets[at]

    def _require_generation(self, group_metadata: tuple[str, int]) -> None:
        """As brokers do for a member of the group; others commit for a group without members."""
        group, generation = group_metadata
        if self._kafka.groups[group].generation != generation:
            raise KafkaException(
                KafkaError(
                    KafkaError.ILLEGAL_GENERATION, "stale generation", txn_requires_abort=True
                )
            )

    def _require_epoch(self, timeout: float = -1) -> None:
        self._kafka.answer("transaction", timeout)
        if self._id is None or self._kafka.producer_epochs[self._id] != self._epoch:
            fail(KafkaError._FENCED)


class _Admin:
    def __init__(self, kafka: FakeKafka, config: Config) -> None:
        self._kafka = kafka
        self._on_error: Callable[[KafkaError], None] = config["error_cb"]

    def list_topics(self, *args: Any, **kwargs: Any) -> ClusterMetadata:
        return self._kafka.metadata(kwargs.get("timeout", -1))

    def create_topics(self, new_topics: list[NewTopic], **kwargs: Any) -> dict[str, Future[None]]:
        answers: dict[str, Future[None]] = {}
        for topic in new_topics:
            answers[topic.topic] = Future()
            try:
                self._kafka.answer("create_topics", kwargs.get("request_timeout", -1))
            except KafkaException as error:
                answers[topic.topic].set_exception(error)
                continue
            self._kafka.create(topic.topic, topic.num_partitions)
            self._kafka.topic_configs[topic.topic] = dict(topic.config or {})
            self._kafka.replicas = topic.replication_factor
            answers[topic.topic].set_result(None)
        return answers

    def describe_configs(
        self, resources: list[ConfigResource], **kwargs: Any
    ) -> dict[ConfigResource, Future[Any]]:
        self._kafka.answer("describe_configs", kwargs.get("request_timeout", -1))
        configs = self._kafka.topic_configs | {"1": self._kafka.broker_config}
        return {
            resource: _done(
                {name: ConfigEntry(name, value) for name, value in configs[resource.name].items()}
            )
            for resource in resources
        }

    def describe_consumer_groups(
        self, group_ids: list[str], **kwargs: Any
    ) -> dict[str, Future[Any]]:
        self._kafka.answer("describe_consumer_groups", kwargs.get("request_timeout", -1))
        answers: dict[str, Future[Any]] = {}
        for name in group_ids:
            group = self._kafka.groups[name]
            if group.members or any(key[0] == name for key in self._kafka.offsets):
                answers[name] = _done(self._described(group))
            else:
                answers[name] = Future()
                error = KafkaError(KafkaError.GROUP_ID_NOT_FOUND)
                answers[name].set_exception(KafkaException(error))
        return answers

    def _described(self, group: Group) -> SimpleNamespace:
        moving = group.owners != group.targets
        held = {
            name: [TopicPartition(*at) for at, owner in group.owners.items() if owner == name]
            for name in group.members
        }
        return SimpleNamespace(
            state=ConsumerGroupState.PREPARING_REBALANCING if moving else ConsumerGroupState.STABLE,
            members=[
                SimpleNamespace(assignment=SimpleNamespace(topic_partitions=places))
                for places in held.values()
            ],
        )

    def describe_topics(self, topics: TopicCollection, **kwargs: Any) -> dict[str, Future[Any]]:
        self._kafka.answer("describe_topics", kwargs.get("request_timeout", -1))
        answers: dict[str, Future[Any]] = {}
        for name in topics.topic_names:
            if name in self._kafka.logs:
                answers[name] = _done(SimpleNamespace(topic_id=self._kafka.topic_ids[name]))
            else:
                answers[name] = Future()
                error = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)
                answers[name].set_exception(KafkaException(error))
        return answers

    def list_offsets(
        self, topic_partition_offsets: dict[TopicPartition, OffsetSpec], **kwargs: Any
    ) -> dict[TopicPartition, Future[Any]]:
        earliest = type(OffsetSpec.earliest())  # type: ignore[no-untyped-call]
        at_time = type(OffsetSpec.for_timestamp(0))
        answers: dict[TopicPartition, Future[Any]] = {}
        for at, spec in topic_partition_offsets.items():
            answers[at] = Future()
            try:
                self._kafka.answer("list_offsets", kwargs.get("request_timeout", -1))
            except KafkaException as error:
                answers[at].set_exception(error)
                continue
            log = self._kafka.logs[at.topic][at.partition]
            if isinstance(spec, at_time):
                since = range(log.first, log.end)
                times = [n for n in since if log.entries[n].time_ms >= spec.timestamp]
                offset = min(times, default=-1)
            else:
                offset = log.first if isinstance(spec, earliest) else log.end
            answers[at].set_result(ListOffsetsResultInfo(offset, 0, -1))
        return answers

    def poll(self, timeout: float = -1) -> int:
        errors, self._kafka.connection_errors = self._kafka.connection_errors, deque()
        for error in errors:
            self._on_error(error)
        return len(errors)


def _append(kafka: FakeKafka, topic: str, entry: Entry) -> tuple[int, int]:
    logs = kafka.logs[topic]
    partition = crc32(entry.key or b"") % len(logs)
    logs[partition].entries.append(entry)
    return partition, logs[partition].end - 1


def _commit(kafka: FakeKafka, group: str, offsets: Iterable[TopicPartition]) -> None:
    for at in offsets:
        kafka.offsets[(group, at.topic, at.partition)] = (at.offset, at.metadata or "")


def _event(code: int, topic: str, partition: int, offset: int) -> Message[bytes, bytes]:
    return Message(topic=topic, partition=partition, offset=offset, error=KafkaError(code))


def _done(value: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(value)
    return future
