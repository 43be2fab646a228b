"""What exactly once costs on Kafka: our sink, a sink without it, and Kafka's transactions.

The same flow with empty stages reads a topic and writes another, three ways that take turns in one
run. Then records are written at a steady pace, and a consumer that reads committed records only
notes when it sees each. Target: exactly once / at least once >= 0.9.

    python -m benchmarks.kafka_delivery BROKERS [RECORDS] [ROUNDS]
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from statistics import median, quantiles
from unittest.mock import patch

import structlog
from bytewax.dataflow import Dataflow
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition
from confluent_kafka import KafkaError, Message, TopicPartition
from rich.console import Console

from dataflows import steps, topics
from dataflows.execution import execute
from dataflows.runtime import FlowRuntime
from dataflows.steps import handle_records, write_records
from operators.streaming.engine.keyed_calls import CallPolicy, Done, Failed
from operators.streaming.kafka.brokers import Brokers
from operators.streaming.kafka.records import header_bytes, key_bytes
from operators.streaming.kafka.topic import KafkaTopic
from schemas.records import Record
from schemas.settings import Settings, load_settings
from services.cli.topics import create

PAYLOAD = b'{"title": "' + b"linen shirt " * 30 + b'"}'
"""About the size of a vendor's packet."""
PACE = 200
"""Records a second, for the time until they are seen."""
EPOCH_SECONDS = 1.0

WriteTo = Callable[[topics.FlowTopic, FlowRuntime], FixedPartitionedSink[Record, object]]


class PlainSink(FixedPartitionedSink[Record, None]):
    """At least once: delivered before the epoch ends; a crash writes the epoch twice.

    With ``transactions`` each epoch is one of Kafka's transactions.
    """

    def __init__(self, topic: KafkaTopic, *, transactions: bool) -> None:
        self._topic = topic
        self._transactions = transactions

    def list_parts(self) -> list[str]:
        return ["all"]

    def part_fn(self, item_key: str) -> int:
        return 0

    def build_part(
        self, step_id: str, for_part: str, resume_state: None
    ) -> StatefulSinkPartition[Record, None]:
        return PlainPartition(self._topic, transactions=self._transactions)


class PlainPartition(StatefulSinkPartition[Record, None]):
    def __init__(self, topic: KafkaTopic, *, transactions: bool) -> None:
        self._topic = topic
        self._transactions = transactions
        config = {"transactional.id": uuid.uuid4().hex, "delivery.timeout.ms": 60_000}
        told = {"delivery.report.only.error": True, "on_delivery": self._failed}
        self._producer = topic.brokers.producer(**told, **(config if transactions else {}))
        if transactions:
            self._producer.init_transactions(30)
            self._producer.begin_transaction()

    def write_batch(self, values: list[Record]) -> None:
        for record in values:
            while True:
                try:
                    self._producer.produce(
                        self._topic.name,
                        value=record.value,
                        key=key_bytes(record),
                        headers=header_bytes(record),
                    )
                    break
                except BufferError:
                    self._producer.poll(0.1)
        self._producer.poll(0)

    def snapshot(self) -> None:
        self._producer.flush(60)
        if self._transactions:
            self._producer.commit_transaction(60)
            self._producer.begin_transaction()

    def _failed(self, error: KafkaError | None, message: Message[bytes, bytes]) -> None:
        raise RuntimeError(f"not delivered: {error}")


def at_least_once(topic: topics.FlowTopic, runtime: FlowRuntime) -> PlainSink:
    assert isinstance(topic, KafkaTopic)
    return PlainSink(topic, transactions=False)


def transactions(topic: topics.FlowTopic, runtime: FlowRuntime) -> PlainSink:
    assert isinstance(topic, KafkaTopic)
    return PlainSink(topic, transactions=True)


WAYS: dict[str, WriteTo] = {  # type: ignore[dict-item]
    "at least once": at_least_once,
    "exactly once": topics.write_to,
    "transactions": transactions,
}


def unmarked(source: Record, record: Record, target: topics.FlowTopic) -> Record:
    """Without the header that only our sink needs."""
    return record


async def nothing(record: Record) -> bytes:
    return record.value


def run_flow(settings: Settings, way: str) -> tuple[float, float]:
    """Records through empty stages; seconds, and those of CPU, from the first to the end."""
    started = cpu = 0.0

    def passed(outcome: Done[Record, bytes] | Failed[Record]) -> Record | None:
        return Record(outcome.item.key, outcome.value) if isinstance(outcome, Done) else None

    async def noted(record: Record) -> bytes:
        nonlocal started, cpu
        if not started:
            started, cpu = time.perf_counter(), time.process_time()
        return await nothing(record)

    @contextmanager
    def open_flow(settings: Settings, runtime: FlowRuntime) -> Iterator[Dataflow]:
        flow = Dataflow("empty")
        source = topics.open_topic(settings.topics, settings.topics.updates)
        target = topics.open_topic(settings.topics, settings.topics.changes)
        policy = CallPolicy(settings.stream.catalog.window, 30.0, 3)
        write_records(
            "out", handle_records(flow, source, noted, policy, runtime), passed, target, runtime
        )
        yield flow

    made_of = topics.made_of if way == "exactly once" else unmarked
    with patch.object(steps, "write_to", WAYS[way]), patch.object(steps, "made_of", made_of):
        assert execute("empty", settings.stream.catalog, settings, open_flow, once=True) == 0
    return time.perf_counter() - started, time.process_time() - cpu


def seconds_until_seen(topic: KafkaTopic, *, transactions: bool, seconds: float) -> list[float]:
    """At a steady pace, with a snapshot per epoch: how long until a consumer sees each record."""
    ends = topic.end_offsets()
    seen: list[float] = []
    done = threading.Event()
    assigned = threading.Event()

    def consume() -> None:
        consumer = topic.brokers.consumer("bench")
        consumer.assign([TopicPartition(topic.name, p, end) for p, end in ends.items()])
        assigned.set()
        while not done.is_set():
            messages, now = consumer.consume(500, 0.01), time.perf_counter()
            seen.extend(now - float(m.value() or b"0") for m in messages if m.error() is None)
        consumer.close()

    reader = threading.Thread(target=consume)
    reader.start()
    assigned.wait()
    part = PlainPartition(topic, transactions=transactions)
    part.write_batch([Record("warm", b"%f" % time.perf_counter())])
    part.snapshot()
    epoch = start = time.perf_counter()
    while (now := time.perf_counter()) < start + seconds:
        part.write_batch([Record("k", b"%f" % now)])
        if now > epoch + EPOCH_SECONDS:
            epoch = now
            part.snapshot()
        time.sleep(1 / PACE)
    part.snapshot()
    time.sleep(1)
    done.set()
    reader.join()
    return seen[1:]


def bench_settings(brokers: str, base: Path) -> Settings:
    prefix = uuid.uuid4().hex[:8]
    return load_settings(
        topics={
            "kind": "kafka",
            "brokers": brokers.split(","),
            "updates": f"{prefix}.in",
            "changes": f"{prefix}.out",
            "looks": f"{prefix}.looks",
            "matches": f"{prefix}.matches",
            "kafka": {"replication": 1, "group_prefix": prefix},
        },
        stream={"recovery_folder": base / prefix, "epoch_seconds": EPOCH_SECONDS},
    )


def main() -> None:
    brokers = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 60_000
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    rates: dict[str, list[float]] = {way: [] for way in WAYS}
    costs: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        for round_ in range(rounds):
            # Whoever comes first warms the broker up: each way is first in its turn.
            turns = deque(WAYS)
            turns.rotate(round_)
            for way in turns:
                settings = bench_settings(brokers, Path(folder))
                create(settings, Console(file=StringIO()))
                source = KafkaTopic(Brokers(settings.topics), settings.topics.updates)
                source.append(Record(f"acme:{n % 5000}", PAYLOAD) for n in range(count))
                seconds, cpu_seconds = run_flow(settings, way)
                rates[way].append(count / seconds)
                costs[way].append(1e6 * cpu_seconds / count)
            print(
                "   ".join(
                    f"{way} {rates[way][-1]:7.0f} records/s, {costs[way][-1]:4.1f} us of CPU each"
                    for way in WAYS
                )
            )
        topic = KafkaTopic(Brokers(settings.topics), settings.topics.changes)
        waits = {
            "ours": seconds_until_seen(topic, transactions=False, seconds=10),
            "transactions": seconds_until_seen(topic, transactions=True, seconds=10),
        }
    for way in ("exactly once", "transactions"):
        pairs = zip(rates[way], rates["at least once"], strict=True)
        ratios = [rate / base for rate, base in pairs]
        cheaper = [
            base / cost for cost, base in zip(costs[way], costs["at least once"], strict=True)
        ]
        print(
            f"{way} / at least once: median {median(ratios):.2f} (target 0.90), of CPU time "
            f"{median(cheaper):.2f}"
        )
    for way, found in waits.items():
        cuts = quantiles(found, n=100)
        print(
            f"seen by a consumer, {way}: p50 {1000 * cuts[49]:.0f} ms, p99 {1000 * cuts[98]:.0f} ms"
        )


if __name__ == "__main__":
    main()
