"""Records through Kafka: the flow with empty stages, exactly once, beside Bytewax's own connectors
(at least once) and Quix Streams (exactly once).

Each raises the prices of the same products in turns, in a process of its own, with one awaited call
per record. Checked: every record once, in the order of its key. Targets: 1.0 of Bytewax, 1.3 of
Quix.

    python -m benchmarks.record_peers BROKERS [RECORDS] [ROUNDS]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.kafka_delivery import run_flow
from benchmarks.peers import LOOKSYNC, Clock, Cost, in_process, in_turn, open_topics, print_ratio
from benchmarks.peers_environment.report import raise_price
from devservers.provision import locked_environment
from devservers.registry import HOME
from operators.streaming.kafka.topic import KafkaTopic
from schemas.records import Record
from schemas.settings import Settings

PROJECT = Path(__file__).with_name("peers_environment")
TARGETS = {"bytewax": 1.0, "quix": 1.3}
KEYS = 5000
PRODUCT = b'{"n": %d, "price": %d, "title": "linen shirt linen shirt linen shirt linen shirt"}'
SECONDS = 600.0
"""After which a peer that does not end is killed."""


def run_looksync(settings: Settings, clock: Clock) -> None:
    async def step(value: bytes) -> bytes:
        clock.start()
        return await raise_price(value)

    run_flow(settings, "exactly once", step=step)


def run_peer(python: Path, name: str, arguments: Sequence[str]) -> Cost:
    """Raises RuntimeError with the end of its output when it fails."""
    command = [str(python), str(PROJECT / f"{name}_records.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    if done.returncode:
        raise RuntimeError(f"{name} failed:\n{done.stdout[-1000:]}{done.stderr[-2000:]}")
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def check(name: str, target: KafkaTopic, count: int) -> None:
    """Require every record once, in the order of its key."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for partition in range(target.partitions):
        for record in target.read(partition):
            numbers[record.key].append(json.loads(record.value)["n"])
    expected = {f"acme:{key}": list(range(key, count, KEYS)) for key in range(min(KEYS, count))}
    if numbers != expected:
        found = sum(map(len, numbers.values()))
        raise AssertionError(f"{name}: {found} of {count} records, or some in another order")


def main() -> None:
    brokers = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    python = locked_environment(PROJECT, HOME / "peers")
    costs: dict[str, list[Cost]] = {name: [] for name in (LOOKSYNC, *TARGETS)}
    with tempfile.TemporaryDirectory() as base:
        for round_ in range(rounds):
            for name in in_turn(list(costs), round_):
                folder = Path(base) / f"{round_}-{name}"
                settings, source, target = open_topics(brokers, folder, folder)
                source.append(
                    Record(f"acme:{n % KEYS}", PRODUCT % (n, 1000 + n % 77)) for n in range(count)
                )
                where = [brokers, source.name, target.name, str(folder / "state"), str(count)]
                cost = (
                    in_process(partial(run_looksync, settings))
                    if name == LOOKSYNC
                    else run_peer(python, name, where)
                )
                check(name, target, count)
                costs[name].append(cost)
                print(
                    f"{round_} {name:<9} {count / cost.seconds:8.0f} records/s "
                    f"{1e6 * cost.cpu_seconds / count:6.1f} us of CPU each   "
                    f"load {os.getloadavg()[0]:.1f}",
                    flush=True,
                )
    for name, target_ratio in TARGETS.items():
        print_ratio(name, costs[LOOKSYNC], costs[name], f", target {target_ratio:.1f}")


if __name__ == "__main__":
    main()
