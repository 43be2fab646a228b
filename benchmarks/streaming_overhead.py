"""Overhead of the engine and the lane: a flow with empty stages compared with a bare loop.

Both copy one file topic to another with the same reader, writer and log format, and alternate
within one run, so that the ratio does not depend on the machine. Target: ratio >= 0.5. Also
measured: the latency that the lane adds.

    python -m benchmarks.streaming_overhead [RECORDS] [ROUNDS]
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles

import bytewax.operators as op
import structlog
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.testing import TestingSink, run_main

from dataflows.execution import execute
from dataflows.runtime import FlowRuntime
from dataflows.steps import handle_records, write_records
from operators.streaming.engine.call_policy import CallPolicy
from operators.streaming.engine.gate import Gate
from operators.streaming.engine.keyed_calls import KeyedCalls
from operators.streaming.engine.lane import LaneRuntime, lane
from operators.streaming.engine.loop_thread import LoopThread
from operators.streaming.engine.outcomes import Done, Failed
from operators.streaming.files.sink import FileTopicSink
from operators.streaming.files.source import BATCH
from operators.streaming.files.topic import FileTopic, PartitionReader
from schemas.records import Record
from schemas.settings import Settings, load_settings

PAYLOAD = b'{"title": "' + b"linen shirt " * 30 + b'"}'
"""About the size of a vendor's packet."""


def topic(base: Path, name: str) -> FileTopic:
    created = FileTopic(base / "topics", name)
    created.create(2)
    return created


async def nothing(record: Record) -> bytes:
    return record.value


def bare_loop(source: FileTopic, target: FileTopic, epoch_seconds: float) -> None:
    """Read, await the stage and write; flush once per epoch, as the engine does."""

    async def consume() -> None:
        sink = FileTopicSink(target, "bare")
        writers = [sink.build_part("", name, None) for name in sink.list_parts()]
        epoch = time.monotonic()
        for partition in range(source.partitions):
            reader = PartitionReader(source, partition, 0)
            while records := reader.read(BATCH):
                values = [Record(record.key, await nothing(record)) for record in records]
                writers[partition].write_batch(values)
                if time.monotonic() > epoch + epoch_seconds:
                    epoch = time.monotonic()
                    for writer in writers:
                        writer.snapshot()
            reader.close()
        for writer in writers:
            writer.snapshot()
            writer.close()

    asyncio.run(consume())


def empty_flow(source: FileTopic, target: FileTopic, settings: Settings) -> None:
    def passed(outcome: Done[Record, bytes] | Failed[Record]) -> Record | None:
        return Record(outcome.item.key, outcome.value) if isinstance(outcome, Done) else None

    @contextmanager
    def open_flow(settings: Settings, runtime: FlowRuntime) -> Iterator[Dataflow]:
        flow = Dataflow("empty")
        policy = CallPolicy(settings.stream.catalog.window, 30.0, 3)
        outcomes = handle_records(flow, source, nothing, policy, runtime)
        write_records("out", outcomes, passed, target, runtime)
        yield flow

    assert execute("empty", settings.stream.catalog, settings, open_flow, once=True) == 0


class PacedTimes(FixedPartitionedSource[tuple[str, float], int]):
    """Emits ``count`` items, one every ``pause``; each is the time of its emission."""

    def __init__(self, count: int, pause: timedelta) -> None:
        self.count = count
        self.pause = pause

    def list_parts(self) -> list[str]:
        return ["0"]

    def build_part(
        self, step_id: str, for_part: str, resume_state: int | None
    ) -> StatefulSourcePartition[tuple[str, float], int]:
        return _PacedPartition(self)


class _PacedPartition(StatefulSourcePartition[tuple[str, float], int]):
    def __init__(self, source: PacedTimes) -> None:
        self._left = source.count
        self._pause = source.pause
        self._awake = datetime.now(UTC)

    def next_batch(self) -> list[tuple[str, float]]:
        if not self._left:
            raise StopIteration
        self._left -= 1
        self._awake = datetime.now(UTC) + self._pause
        return [("0", time.perf_counter())]

    def next_awake(self) -> datetime:
        return self._awake

    def snapshot(self) -> int:
        return self._left


def added_latency(count: int) -> list[float]:
    """Milliseconds from an item's emission to its outcome's arrival, less the time of its call."""
    added: list[float] = []

    async def call(emitted: float) -> float:
        started = time.perf_counter()
        await asyncio.sleep(0.05)
        return time.perf_counter() - started

    def arrived(keyed: tuple[str, Done[float, float] | Failed[float]]) -> None:
        _, outcome = keyed
        assert isinstance(outcome, Done)
        added.append(1000 * (time.perf_counter() - outcome.item - outcome.value))

    with LoopThread() as thread:
        runtime = LaneRuntime(thread, Gate(10_000), threading.Event())
        calls = KeyedCalls(call, str, CallPolicy(64, 30.0, 3), thread.loop)
        flow = Dataflow("latency")
        times = op.input("times", flow, PacedTimes(count, timedelta(milliseconds=5)))
        noted = op.map("arrived", lane("lane", times, calls, runtime), arrived)
        op.output("end", noted, TestingSink([]))
        run_main(flow)  # type: ignore[no-untyped-call]
    return added


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 60_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        for round_ in range(rounds):
            base = Path(folder) / str(round_)
            settings = load_settings(
                topics={"folder": base / "topics"}, stream={"recovery_folder": base / "recovery"}
            )
            source = topic(base, "in")
            source.append(Record(f"acme:{n % 5000}", PAYLOAD) for n in range(count))
            bare, flow = topic(base, "bare"), topic(base, "flow")

            started, cpu_started = time.perf_counter(), time.process_time()
            bare_loop(source, bare, settings.stream.epoch_seconds)
            between, cpu_between = time.perf_counter(), time.process_time()
            empty_flow(source, flow, settings)
            ended, cpu_ended = time.perf_counter(), time.process_time()

            assert sum(bare.end_offsets().values()) == sum(flow.end_offsets().values())
            ratios.append((between - started) / (ended - between))
            print(
                f"bare loop {count / (between - started):8.0f} records/s   "
                f"flow {count / (ended - between):8.0f} records/s   ratio {ratios[-1]:.2f}   "
                f"(of CPU time {(cpu_between - cpu_started) / (cpu_ended - cpu_between):.2f})"
            )
    print(f"median ratio {median(ratios):.2f} (target 0.50)")
    cuts = quantiles(added_latency(1000), n=100)
    print(f"latency added by the lane: p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms")


if __name__ == "__main__":
    main()
