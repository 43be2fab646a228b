"""A flow's runtime: loop thread, gate, metrics, and what recovers it. Created once per process."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from prometheus_client import CollectorRegistry

from dataflows.flow_lock import lock_flow, lock_instance
from operators.streaming.engine.gate import Gate
from operators.streaming.engine.lane import LaneRuntime
from operators.streaming.engine.loop_thread import LoopThread
from operators.streaming.engine.recovery import RecoveryStore
from operators.streaming.files.call_journal import CallJournal
from operators.streaming.health.endpoints import serve
from operators.streaming.health.health import Health
from operators.streaming.health.metrics import FlowMetrics
from operators.streaming.kafka.member import Member
from schemas.settings import FlowSettings, Settings

READ_AHEAD = 8
"""Windows of items between source and sink: one in progress, the others queued, because the engine
polls a lane only once per millisecond."""


@dataclass(frozen=True, slots=True)
class FlowRuntime:
    """What a flow is built in."""

    name: str
    lane: LaneRuntime
    metrics: FlowMetrics
    folder: Path
    """What processes of the flow keep on this host."""
    store: RecoveryStore | None
    """On file topics: what the flow resumes from. On Kafka the consumer group's commits are."""
    journal: CallJournal | None
    """On file topics: which record is being called."""
    instance: str
    """On Kafka: the name of this process in the consumer group."""
    health: Health
    once: bool
    """Stop at the offsets where the source topic ended at the start."""
    opened: ExitStack
    """Closes the flow's topics, however the flow ends."""
    members: list[Member] = field(default_factory=list)
    """On Kafka: the reader of the source topic, once the flow is built."""


@contextmanager
def flow_runtime(
    name: str, flow: FlowSettings, settings: Settings, *, once: bool
) -> Iterator[FlowRuntime]:
    """Set up the runtime of flow ``name``; SIGTERM and SIGINT make the flow drain and exit.

    Enter it in the main thread. Raises Misconfigured when the flow is already running.
    """
    folder, kafka = settings.stream.recovery_folder / name, settings.topics.kind == "kafka"
    gate, metrics = Gate(READ_AHEAD * flow.window), FlowMetrics(CollectorRegistry())
    metrics.in_flight.labels(name).set_function(lambda: gate.inside)
    metrics.bytes_in_flight.labels(name).set_function(lambda: gate.bytes_inside)
    metrics.paused.labels(name).set_function(lambda: gate.paused)
    with (
        _stop_on_signals() as stop,
        lock_flow(name, folder, shared=kafka),
        lock_instance(folder) as number,
        _serve_health(name, gate, metrics, stop, flow) as health,
        LoopThread() as thread,
        ExitStack() as opened,
    ):
        thread.loop.call_soon_threadsafe(health.watch_loop, thread.loop)
        yield FlowRuntime(
            name=name,
            lane=LaneRuntime(thread, gate, stop, snapshots=not kafka),
            metrics=metrics,
            folder=folder,
            store=None if kafka else RecoveryStore(folder),
            journal=None if kafka else _open_journal(folder, opened),
            instance=settings.stream.instance or f"{socket.gethostname()}-{number}",
            health=health,
            once=once,
            opened=opened,
        )


def _open_journal(folder: Path, opened: ExitStack) -> CallJournal:
    journal = CallJournal(folder / "calls.json")
    opened.callback(journal.close)
    return journal


@contextmanager
def _serve_health(
    name: str, gate: Gate, metrics: FlowMetrics, stop: threading.Event, flow: FlowSettings
) -> Iterator[Health]:
    """Serve the flow's health and metrics, before its clients are opened."""
    health = Health(name, gate, metrics, stop)
    with serve(metrics, health, flow.metrics_address, flow.metrics_port):
        yield health


@contextmanager
def _stop_on_signals() -> Iterator[threading.Event]:
    """An event that the first SIGTERM or SIGINT sets; a second one kills the process at once.

    The main thread must not wait() on it: the handler, which interrupts the main thread, would
    deadlock in set().
    """
    stop = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def drain(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in before:
        signal.signal(number, drain)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
