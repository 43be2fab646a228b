"""Shared by the benchmarks that put the catalog flow beside other systems on Kafka."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import structlog
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main
from rich.console import Console

from operators.streaming.kafka.brokers import Brokers
from operators.streaming.kafka.topic import KafkaTopic
from schemas.settings import Settings, load_settings
from services.cli.topics import create

LOOKSYNC = "looksync"

CpuSeconds = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run has cost, from its first item to its end."""

    seconds: float
    cpu_seconds: float


class Clock:
    """Starts at the first call."""

    def __init__(self, cpu_seconds: CpuSeconds) -> None:
        self._cpu_seconds = cpu_seconds
        self._started: tuple[float, float] | None = None

    def start(self) -> None:
        if self._started is None:
            self._started = time.perf_counter(), self._cpu_seconds()

    def cost(self) -> Cost:
        assert self._started is not None, "there was no item"
        wall, cpu = self._started
        return Cost(time.perf_counter() - wall, self._cpu_seconds() - cpu)


def cpu_seconds_with_children() -> float:
    """Of this process, and of those that it has started and waited for."""
    return sum(os.times()[:4])


def in_process(run: Callable[[Clock], None], cpu_seconds: CpuSeconds = time.process_time) -> Cost:
    """Call ``run`` in a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_measure, args=(run, cpu_seconds, there))
    process.start()
    there.close()
    cost: Cost = here.recv()
    process.join()
    return cost


def _measure(run: Callable[[Clock], None], cpu_seconds: CpuSeconds, to: Connection) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    clock = Clock(cpu_seconds)
    run(clock)
    to.send(clock.cost())


def run_bytewax(flow: Dataflow) -> None:
    """Run a peer's flow to the end of its sources, with recovery and epochs of a second."""
    with tempfile.TemporaryDirectory() as folder:
        init_db_dir(Path(folder), 1)  # type: ignore[no-untyped-call]
        cli_main(  # type: ignore[no-untyped-call]
            flow,
            epoch_interval=timedelta(seconds=1),
            recovery_config=RecoveryConfig(folder),  # type: ignore[no-untyped-call]
        )


def open_topics(
    brokers: str, pictures: Path, base: Path
) -> tuple[Settings, KafkaTopic, KafkaTopic]:
    """New topics for packets and changes, and settings that name them and stores in ``base``."""
    prefix = uuid.uuid4().hex[:8]
    settings = load_settings(
        topics={
            "kind": "kafka",
            "brokers": brokers.split(","),
            "partitions": 4,
            "updates": f"{prefix}.in",
            "changes": f"{prefix}.out",
            "looks": f"{prefix}.looks",
            "matches": f"{prefix}.matches",
            "kafka": {"replication": 1, "group_prefix": prefix},
        },
        stream={"recovery_folder": base / "recovery"},
        images={"allowed_roots": [pictures], "http_cache": None},
        index={"path": base / "index.sqlite"},
        redis={"folder": base / "valkey"},
        thumbnails={"url": str(base / "thumbnails")},
    )
    create(settings, Console(file=StringIO()))
    opened, topics = Brokers(settings.topics), settings.topics
    return settings, KafkaTopic(opened, topics.updates), KafkaTopic(opened, topics.changes)


def in_turn(names: Sequence[str], round_: int) -> list[str]:
    """``names`` in the order of the round: each begins in turn."""
    first = round_ % len(names)
    return [*names[first:], *names[:first]]


def print_ratio(name: str, ours: Sequence[Cost], theirs: Sequence[Cost], target: str) -> None:
    """Print how fast the flow was beside ``name``, per round."""
    pairs = list(zip(ours, theirs, strict=True))
    ratios = sorted(other.seconds / own.seconds for own, other in pairs)
    cheaper = median(other.cpu_seconds / own.cpu_seconds for own, other in pairs)
    print(
        f"looksync / {name}: median {median(ratios):.2f} ({ratios[0]:.2f} to "
        f"{ratios[-1]:.2f}{target}), of CPU time {cheaper:.2f}"
    )
