"""Watches from outside how the partitions of a flow's source go on while processes come and go."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from types import TracebackType

from confluent_kafka import TopicPartition

from operators.streaming.kafka.handover import GroupCommits
from operators.streaming.kafka.records import key_bytes
from schemas.errors import Unavailable
from schemas.records import SOURCE
from tests.real.kafka_flows import KafkaFlows, packet

PACE_SECONDS = 0.05
"""Between two packets of a partition, and two questions for the group's commits."""


@dataclass(slots=True)
class Timeline:
    """When each partition went on, in seconds of the monotonic clock."""

    moments: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))

    def pause(self, partition: int, since: float, until: float) -> float:
        """The longest time between two moments, of which a part lies in ``since`` to ``until``."""
        moments = list(self.moments[partition])
        before = max((at for at in moments if at <= since), default=since)
        marks = [before, *(at for at in moments if since < at < until), until]
        return max(b - a for a, b in pairwise(marks))


class PartitionWatch:
    """Feeds packets to every partition of the catalog flow's source, at a steady pace, and notes
    when the group's commit of each goes on, when its outputs can be read, and whose it is."""

    def __init__(self, flows: KafkaFlows) -> None:
        self.flows = flows
        self.handled, self.visible = Timeline(), Timeline()
        self.owners: dict[int, str] = {}
        self.sent: dict[str, list[int]] = defaultdict(list)
        """Per product, the versions that were fed."""
        # As in production the key decides, so that a product's outputs are in the partition of the
        # same number.
        packets = [packet(f"p{n}", 0) for n in range(30 * flows.partitions)]
        positions = flows.topic("updates").append(packets)
        for record in packets:
            self.sent[record.key].append(0)
        self._products = {
            at.partition: record.key.partition(":")[2]
            for record, at in zip(packets, positions, strict=True)
        }
        self._done = threading.Event()
        self._threads = [
            threading.Thread(target=body, daemon=True)
            for body in (self._feed, self._watch_commits, self._watch_outputs)
        ]

    def __enter__(self) -> PartitionWatch:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join(30)

    def _feed(self) -> None:
        topic, version = self.flows.topic("updates"), 0
        producer = topic.brokers.producer()
        while not self._done.wait(PACE_SECONDS):
            for product in self._products.values():
                record = packet(product, version := version + 1)
                producer.produce(topic.name, record.value, key_bytes(record))
                self.sent[record.key].append(version)
            producer.poll(0)
        assert producer.flush(30) == 0

    def _watch_commits(self) -> None:
        commits = GroupCommits(self.flows.topic("updates"), f"{self.flows.prefix}.catalog")
        positions: dict[int, int] = {}
        while not self._done.wait(PACE_SECONDS):
            try:
                found, now = commits.latest(range(self.flows.partitions)), time.monotonic()
            except Unavailable:
                continue  # a busy machine: the broker is asked again
            for partition, commit in found.items():
                if commit.progress.committed > positions.get(partition, 0):
                    positions[partition] = commit.progress.committed
                    self.handled.moments[partition].append(now)
                self.owners[partition] = commit.owner
        commits.close()

    def _watch_outputs(self) -> None:
        topic = self.flows.topic("changes")
        consumer = topic.brokers.consumer("watch")
        consumer.assign([TopicPartition(topic.name, p, 0) for p in range(topic.partitions)])
        while not self._done.is_set():
            messages, now = consumer.consume(500, PACE_SECONDS), time.monotonic()
            for message in messages:
                headers = dict(message.headers() or [])
                source = headers[SOURCE]
                assert isinstance(source, bytes)
                self.visible.moments[int(source.decode().split("/")[1])].append(now)
        consumer.close()
