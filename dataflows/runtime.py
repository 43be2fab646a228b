"""What one flow runs in: loop thread, gate, metrics, recovery store. Made once per process."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from prometheus_client import CollectorRegistry

from operators.streaming.engine.gate import Gate
from operators.streaming.engine.lane import LaneRuntime
from operators.streaming.engine.loop_thread import LoopThread
from operators.streaming.engine.recovery import RecoveryStore
from operators.streaming.health.endpoints import served
from operators.streaming.health.health import Health
from operators.streaming.health.metrics import FlowMetrics
from operators.streaming.kafka.ownership import Ownership
from schemas.errors import Misconfigured
from schemas.settings import FlowSettings, Settings

READ_AHEAD = 8
"""Windows of items between source and sink: one in work, the others ready, as the engine looks at a
lane only once in a millisecond. All of them are in each snapshot."""


@dataclass(frozen=True, slots=True)
class FlowRuntime:
    """Surroundings of a flow, ready to build it in."""

    name: str
    lane: LaneRuntime
    metrics: FlowMetrics
    store: RecoveryStore
    processes: int
    """That share the flow's partitions."""
    ordinal: int
    """Which of them this is, from 0."""
    health: Health
    once: bool
    """End where the source topic ends at the start, instead of waiting for more."""
    opened: ExitStack
    """Closes what the flow's topics have opened, however the flow ends."""
    owned: list[Ownership] = field(default_factory=list)
    """The share of its source topic's partitions, on Kafka."""
    at_end: list[Callable[[], None]] = field(default_factory=list)
    """Called when the engine has ended in order, and everything is durable."""


@contextmanager
def flow_runtime(
    name: str, flow: FlowSettings, settings: Settings, *, once: bool
) -> Iterator[FlowRuntime]:
    """The surroundings of flow ``name``; SIGTERM and SIGINT make it drain and end.

    To be entered in the main thread. Raises Misconfigured when the flow runs already.
    """
    stream = settings.stream
    if stream.ordinal >= stream.processes:
        raise Misconfigured(
            f"stream.ordinal = {stream.ordinal}: with stream.processes = {stream.processes} the "
            "last ordinal is one less"
        )
    if stream.processes > 1 and settings.topics.kind == "file":
        raise Misconfigured("file topics are for one process: stream.processes = 1, or use Kafka")
    # A store per way of sharing: what it holds is of those partitions.
    share = f"-{stream.ordinal}-of-{stream.processes}" if stream.processes > 1 else ""
    recovery_folder = stream.recovery_folder / f"{name}{share}"
    gate, metrics = Gate(READ_AHEAD * flow.window), FlowMetrics(CollectorRegistry())
    metrics.in_flight.labels(name).set_function(lambda: gate.inside)
    with (
        _stop_on_signals() as stop,
        _only_one(name, recovery_folder),
        _health(name, gate, metrics, stop, flow) as health,
        LoopThread() as thread,
        ExitStack() as opened,
    ):
        thread.loop.call_soon_threadsafe(health.watch_loop, thread.loop)
        yield FlowRuntime(
            name=name,
            lane=LaneRuntime(thread, gate, stop),
            metrics=metrics,
            store=RecoveryStore(recovery_folder),
            processes=stream.processes,
            ordinal=stream.ordinal,
            health=health,
            once=once,
            opened=opened,
        )


@contextmanager
def _health(
    name: str, gate: Gate, metrics: FlowMetrics, stop: threading.Event, flow: FlowSettings
) -> Iterator[Health]:
    """The flow's health, served with its metrics from before the parts are opened."""
    health = Health(name, gate, metrics, stop)
    with served(metrics, health, flow.metrics_address, flow.metrics_port):
        yield health


@contextmanager
def _stop_on_signals() -> Iterator[threading.Event]:
    """An event that the first SIGTERM or SIGINT sets; a second one ends the process at once."""
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


@contextmanager
def _only_one(name: str, recovery_folder: Path) -> Iterator[None]:
    """Hold the flow's lock: two processes on one recovery store would undo each other's work."""
    recovery_folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(recovery_folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise Misconfigured(
            f"the {name} flow runs already, with {recovery_folder}: stop it first"
        ) from None
    finally:
        os.close(lock)
