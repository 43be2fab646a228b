"""Twenty minutes of steady load on real servers: memory, open files and latency over time.

    python -m benchmarks.soak [MINUTES] [REPORT]        (make soak)

In each five minutes, a second process of each flow is started, one is stopped by SIGTERM, and one
is killed and started again. Writes REPORT (docs/soak.md) and exits with 1 when a value grew beyond
its bound: growth is that of a line fitted to the second half of the run. Fails when a look has no
event or two, or a product is not in the index.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from benchmarks.freshness import (
    NEW_EVERY,
    answered,
    feed,
    searchable,
)
from benchmarks.steady_system import SteadySystem, steady_system
from devservers.deployment import FLOWS as FLOW_NAMES
from services.processes import Child, free_port

SAMPLE_SECONDS = 10.0
ROUND_SECONDS = 300.0
DISTURBED_AFTER = (60.0, 150.0, 240.0)
"""Seconds of a round until a process is added, stopped, killed."""
FLOWS = ("catalog flow", "looks flow")
LOOKS, PRODUCTS = "looks, from sending to event", "new products, from sending to searchable"
GROWTH_MIB = 64.0
"""Of a flow's memory in the second half: caches have filled by then, leaks keep growing."""
GROWTH_FILES = 8
GROWTH_LATENCY = 0.5
"""Of the median latency of the last quarter over that of the second, as a share."""


@dataclass(slots=True)
class Disturbances:
    """What happens to the flows' processes, by the clock."""

    system: SteadySystem
    log: list[str] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)
    _done: int = 0

    def happen(self) -> None:
        """Do what is due."""
        steps = (self._scale_up, self._scale_down, self._kill)
        round_, step = divmod(self._done, len(steps))
        seconds = time.monotonic() - self.begun
        if seconds >= round_ * ROUND_SECONDS + DISTURBED_AFTER[step]:
            self._done += 1
            self.log.append(f"{seconds / 60:.1f} min: {steps[step].__doc__}")
            for flow in FLOW_NAMES:
                steps[step](flow)

    def _scale_up(self, flow: str) -> None:
        """a second process of each flow starts"""
        second = self.system.deployment.start(flow, port=free_port())
        self._put(f"{flow} 2", second)

    def _scale_down(self, flow: str) -> None:
        """one of the two gets SIGTERM"""
        leaves = f"{flow} 2" if self._done % 2 else flow
        if code := self.system.flows[leaves].stop():
            raise SystemExit(f"{leaves} ended with {code}")
        stays = self.system.flows[flow if leaves != flow else f"{flow} 2"]
        del self.system.flows[f"{flow} 2"], self.system.pids[f"{flow} 2 flow"]
        self._put(flow, stays)

    def _kill(self, flow: str) -> None:
        """the other is killed, and started again"""
        self.system.flows[flow].kill()
        self._put(flow, self.system.deployment.start(flow, port=free_port()))

    def _put(self, name: str, child: Child) -> None:
        self.system.flows[name] = child
        self.system.pids[f"{name} flow"] = child.process.pid


@dataclass(slots=True)
class Samples:
    """One value per process every SAMPLE_SECONDS."""

    memory_mib: dict[str, list[float]] = field(default_factory=dict)
    files: dict[str, list[int]] = field(default_factory=dict)
    """Open descriptors: files, sockets, pipes."""
    threads: dict[str, list[int]] = field(default_factory=dict)

    def take(self, pids: dict[str, int]) -> None:
        for name, pid in pids.items():
            process = Path("/proc") / str(pid)
            status = dict(
                line.split(":", 1) for line in (process / "status").read_text().splitlines()
            )
            memory = int(status["VmRSS"].split()[0]) / 1024
            self.memory_mib.setdefault(name, []).append(memory)
            self.files.setdefault(name, []).append(len(list((process / "fd").iterdir())))
            self.threads.setdefault(name, []).append(int(status["Threads"]))


def growth(values: list[float] | list[int]) -> float:
    """Growth over the second half of ``values``, by a line fitted to it."""
    half = np.asarray(values[len(values) // 2 :], dtype=float)
    slope = np.polyfit(np.arange(len(half)), half, 1)[0]
    return float(slope * (len(half) - 1))


def soak(minutes: float) -> tuple[dict[str, int], Samples, dict[str, list[float]], list[str]]:
    """Records sent per topic, the samples, the latencies in seconds in order of time, and what
    happened to the processes."""
    samples, sent, done = Samples(), dict[str, float](), threading.Event()
    found: dict[str, list[float]] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        steady_system(Path(folder), seed=81, products=2000, looks=60, model=False) as system,
    ):
        readers = [
            threading.Thread(
                target=lambda: found.update({LOOKS: answered(system, sent, done)}), daemon=True
            ),
            threading.Thread(
                target=lambda: found.update(
                    {PRODUCTS: asyncio.run(searchable(system, sent, done))}
                ),
                daemon=True,
            ),
        ]
        for reader in readers:
            reader.start()
        with ThreadPoolExecutor(1) as threads:
            feeder = threads.submit(feed, system, minutes * 60, sent)
            disturbances = Disturbances(system)
            while not feeder.done():
                disturbances.happen()
                samples.take(system.pids)
                time.sleep(SAMPLE_SECONDS)
            done.set()
            counts = feeder.result()
        for reader in readers:
            reader.join(300)
        if len(found) < len(readers):
            raise SystemExit("some looks have no event, or some products are not in the index")
    return counts, samples, found, disturbances.log


def report(
    minutes: float,
    counts: dict[str, int],
    samples: Samples,
    found: dict[str, list[float]],
    disturbances: list[str],
) -> tuple[str, list[str]]:
    """The report page, and the values that grew beyond their bounds."""
    grown = []
    lines = [
        "# Soak",
        "",
        f"`make soak`, {datetime.now(UTC):%Y-%m-%d}: {minutes:g} minutes on two shared CPU cores, "
        f"real Kafka, Weaviate and Redis; {counts['catalog.updates'] / minutes / 60:.1f} packets "
        f"per second (every {NEW_EVERY}th a new product) and "
        f"{counts['looks.generated'] / minutes / 60:.2f} looks per second, "
        "described by the tagger.",
        "",
        "| process | memory at the start / half / end, MiB | growth in the second half | open "
        "files start / half / end | threads start / end |",
        "|---|---|---|---|---|",
    ]
    for name, memory in samples.memory_mib.items():
        files, threads, half = samples.files[name], samples.threads[name], len(memory) // 2
        lines.append(
            f"| {name} | {memory[0]:.0f} / {memory[half]:.0f} / {memory[-1]:.0f} "
            f"| {growth(memory):+.0f} MiB | {files[0]} / {files[half]} / {files[-1]} "
            f"| {threads[0]} / {threads[-1]} |"
        )
        if name in FLOWS and growth(memory) > GROWTH_MIB:
            grown.append(f"memory of the {name}: {growth(memory):+.0f} MiB")
        if name in FLOWS and growth(files) > GROWTH_FILES:
            grown.append(f"open files of the {name}: {growth(files):+.0f}")
    lines += [
        "",
        "| | quarter of the run | how many | p50, s | p95, s | longest, s |",
        "|---|---|---|---|---|---|",
    ]
    for what, latencies in sorted(found.items()):
        quarters = np.array_split(np.asarray(latencies), 4)
        for number, quarter in enumerate(quarters, 1):
            p50, p95 = np.percentile(quarter, [50, 95])
            lines.append(
                f"| {what} | {number} | {len(quarter)} | {p50:.2f} | {p95:.2f} "
                f"| {quarter.max():.1f} |"
            )
        second, last = float(np.median(quarters[1])), float(np.median(quarters[3]))
        if last > second * (1 + GROWTH_LATENCY):
            grown.append(f"latency of {what}: {second:.2f} to {last:.2f} s")
    verdict = "Nothing grew beyond its bound" if not grown else "Grew: " + "; ".join(grown)
    bounds = (
        f"{GROWTH_MIB:g} MiB and {GROWTH_FILES} files a flow in the second half; the median "
        f"latency of the last quarter {GROWTH_LATENCY:.0%} over the second's"
    )
    lines += ["", f"{verdict} (bounds: {bounds}). Each look had one event.", "", "What happened:"]
    lines += ["", *(f"- {line}" for line in disturbances)]
    return "\n".join(lines) + "\n", grown


def main(minutes: float = 20.0, path: str = "docs/soak.md") -> int:
    text, grown = report(minutes, *soak(minutes))
    Path(path).write_text(text, encoding="utf-8")
    print(text)
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main(*(kind(word) for kind, word in zip((float, str), sys.argv[1:], strict=False))))
