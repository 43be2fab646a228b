"""What exactly once costs on Kafka: the flow with its transactions, and with a plain producer.

The same flow with empty stages copies a topic, in turns through both sinks. Then records come at a
steady pace, and a consumer that reads committed records only measures how long each takes from the
feed to the output through our flow. Target: exactly once / at least once >= 0.9.

    python -m benchmarks.kafka_delivery BROKERS [RECORDS] [ROUNDS]
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from unittest.mock import patch

import structlog
from bytewax.dataflow import Dataflow
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition
from confluent_kafka import KafkaError, Message, TopicPartition
from rich.console import Console

from dataflows import steps
from dataflows.execution import execute
from dataflows.runtime import FlowRuntime
from dataflows.steps import handle_records, write_records
from dataflows.wiring import topics
from operators.streaming.engine.call_policy import CallPolicy
from operators.streaming.engine.outcomes import Done, Failed
from operators.streaming.kafka.brokers import Brokers
from operators.streaming.kafka.member import Member
from operators.streaming.kafka.records import header_bytes, key_bytes
from operators.streaming.kafka.sink import Output
from operators.streaming.kafka.topic import KafkaTopic
from schemas.records import Record
from schemas.settings import Settings, load_settings
from services.cli.topics import create

PAYLOAD = b'{"title": "' + b"linen shirt " * 30 + b'"}'
"""About the size of a vendor's packet."""
RECORDS_PER_SECOND = (4, 50, 200)
"""Paces at which visibility is measured; 4 is that of looks."""
EPOCH_SECONDS = 1.0

WriteTo = Callable[[topics.FlowTopic, FlowRuntime], FixedPartitionedSink[Any, Any]]


class PlainSink(FixedPartitionedSink[Output, None]):
    """At least once: records are flushed at each epoch's end; a crash repeats what came after."""

    def __init__(self, topic: KafkaTopic, member: Member) -> None:
        self._topic = topic
        self._member = member

    def list_parts(self) -> list[str]:
        return ["all"]

    def part_fn(self, item_key: str) -> int:
        return 0

    def build_part(
        self, step_id: str, for_part: str, resume_state: None
    ) -> StatefulSinkPartition[Output, None]:
        return PlainPartition(self._topic, self._member)


class PlainPartition(StatefulSinkPartition[Output, None]):
    def __init__(self, topic: KafkaTopic, member: Member) -> None:
        self._topic = topic
        self._inputs = member.inputs
        self._producer = topic.brokers.producer(
            **{"delivery.report.only.error": True, "on_delivery": self._fail}
        )

    def write_batch(self, values: list[Output]) -> None:
        for output in values:
            while True:
                try:
                    self._producer.produce(
                        self._topic.name,
                        value=output.record.value,
                        key=key_bytes(output.record),
                        headers=header_bytes(output.record),
                    )
                    break
                except BufferError:
                    self._producer.poll(0.1)
            # Handled without an output: the group's progress alone is committed, once a second.
            self._inputs.pass_on(output.source, self._topic.name, None)
        self._producer.poll(0)

    def snapshot(self) -> None:
        self._producer.flush(60)

    def _fail(self, error: KafkaError | None, message: Message[bytes, bytes]) -> None:
        if error is not None:
            raise RuntimeError(f"not delivered: {error.str()}")


def at_least_once(topic: topics.FlowTopic, runtime: FlowRuntime) -> PlainSink:
    assert isinstance(topic, KafkaTopic)
    return PlainSink(topic, runtime.members[-1])


SINKS: dict[str, WriteTo] = {"at least once": at_least_once, "exactly once": topics.write_to}


async def copy_value(value: bytes) -> bytes:
    return value


def run_flow(
    settings: Settings,
    sink: str,
    *,
    once: bool = True,
    step: Callable[[bytes], Awaitable[bytes]] = copy_value,
) -> tuple[float, float]:
    """Pass all values through ``step``; return wall-clock and CPU seconds from the first record to
    the end."""
    started = cpu = 0.0

    def copy(outcome: Done[Record, bytes] | Failed[Record]) -> Record | None:
        return Record(outcome.item.key, outcome.value) if isinstance(outcome, Done) else None

    async def start_clock(record: Record) -> bytes:
        nonlocal started, cpu
        if not started:
            started, cpu = time.perf_counter(), time.process_time()
        return await step(record.value)

    @contextmanager
    def open_flow(settings: Settings, runtime: FlowRuntime) -> Iterator[Dataflow]:
        flow = Dataflow("empty")
        source = topics.open_topic(settings.topics, settings.topics.updates)
        target = topics.open_topic(settings.topics, settings.topics.changes)
        policy = CallPolicy(settings.stream.catalog.window, 30.0, 3)
        write_records(
            "out", handle_records(flow, source, start_clock, policy, runtime), copy, target, runtime
        )
        yield flow

    with patch.object(steps, "write_to", SINKS[sink]):
        assert execute("empty", settings.stream.catalog, settings, open_flow, once=once) == 0
    return time.perf_counter() - started, time.process_time() - cpu


def visibility_seconds(settings: Settings, rate: float, seconds: float) -> list[float]:
    """Seconds from feeding each record to a consumer receiving the flow's output."""
    source = KafkaTopic(Brokers(settings.topics), settings.topics.updates)
    target = KafkaTopic(Brokers(settings.topics), settings.topics.changes)
    seen: list[float] = []
    done = threading.Event()

    def consume() -> None:
        consumer = target.brokers.consumer("bench")
        consumer.assign(
            [TopicPartition(target.name, p, end) for p, end in target.end_offsets().items()]
        )
        while not done.is_set():
            messages, now = consumer.consume(500, 0.01), time.perf_counter()
            seen.extend(now - float(m.value() or b"0") for m in messages if m.error() is None)
        consumer.close()

    def feed() -> None:
        time.sleep(5)  # the flow joins its group
        producer, start = source.brokers.producer(), time.perf_counter()
        while (now := time.perf_counter()) < start + seconds:
            producer.produce(source.name, b"%f" % now, f"k{now}".encode())
            producer.poll(0)
            time.sleep(1 / rate)
        producer.flush(10)
        time.sleep(2)
        os.kill(os.getpid(), signal.SIGTERM)

    threads = [threading.Thread(target=consume), threading.Thread(target=feed)]
    for thread in threads:
        thread.start()
    run_flow(settings, "exactly once", once=False)
    done.set()
    for thread in threads:
        thread.join()
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
    rates: dict[str, list[float]] = {sink: [] for sink in SINKS}
    costs: dict[str, list[float]] = {sink: [] for sink in SINKS}
    with tempfile.TemporaryDirectory() as folder:
        for round_ in range(rounds):
            # The first run warms the broker up, so each sink goes first in turn.
            turns = deque(SINKS)
            turns.rotate(round_)
            for sink in turns:
                settings = bench_settings(brokers, Path(folder))
                create(settings, Console(file=StringIO()))
                source = KafkaTopic(Brokers(settings.topics), settings.topics.updates)
                source.append(Record(f"acme:{n % 5000}", PAYLOAD) for n in range(count))
                seconds, cpu_seconds = run_flow(settings, sink)
                rates[sink].append(count / seconds)
                costs[sink].append(1e6 * cpu_seconds / count)
            print(
                "   ".join(
                    f"{sink} {rates[sink][-1]:7.0f} records/s, {costs[sink][-1]:4.1f} us of CPU"
                    for sink in SINKS
                )
            )
        waits = {}
        for rate in RECORDS_PER_SECOND:
            settings = bench_settings(brokers, Path(folder))
            create(settings, Console(file=StringIO()))
            waits[rate] = visibility_seconds(settings, rate, seconds=15)
    pairs = zip(rates["exactly once"], rates["at least once"], strict=True)
    cheaper = zip(costs["at least once"], costs["exactly once"], strict=True)
    print(
        f"exactly once / at least once: median {median(ours / base for ours, base in pairs):.2f} "
        f"(target 0.90), of CPU time {median(base / ours for base, ours in cheaper):.2f}"
    )
    for rate, found in waits.items():
        cuts = quantiles(found, n=100)
        print(
            f"from feed to consumer at {rate} records/s: "
            f"p50 {1000 * cuts[49]:.0f} ms, p99 {1000 * cuts[98]:.0f} ms"
        )


if __name__ == "__main__":
    main()
