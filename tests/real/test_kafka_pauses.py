"""How long partitions pause while processes are started, stopped, killed and suspended.

The figures of decision 150 are what this prints (pytest -s).
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from tests.real.kafka_flows import KafkaFlows
from tests.real.partition_watch import PartitionWatch
from tests.real.real_servers import RealKafka
from tests.real.test_kafka_group import changes, stop, wait_until

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]

SESSION_SECONDS = 6.0
MOVED_SECONDS = SESSION_SECONDS + 5.0


def test_partitions_pause_for_seconds_only(kafka: RealKafka, tmp_path: Path) -> None:
    flows = KafkaFlows(kafka.brokers, tmp_path, partitions=6)
    flows.create()
    processes: list[ForkServerProcess] = []
    pauses: dict[str, tuple[float, float]] = {}

    def spread(count: int) -> Callable[[], bool]:
        return lambda: len(watch.owners) == 6 and len(set(watch.owners.values())) == count

    def join() -> None:
        processes.append(flows.start("catalog"))

    def leave() -> None:
        stop([processes.pop()])

    def kill() -> None:
        processes.pop().kill()

    def suspend() -> None:
        pid = processes[-1].pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)

    def wake() -> None:
        pid = processes[-1].pid
        assert pid is not None
        os.kill(pid, signal.SIGCONT)

    with PartitionWatch(flows) as watch:
        join()
        join()
        wait_until(spread(2))
        time.sleep(3)
        for name, action, count in (
            ("a third one joins", join, 3),
            ("one leaves in order", leave, 2),
            ("a third one joins again", join, 3),
            ("one is killed", kill, 2),
            ("and started again", join, 3),
            ("one is suspended", suspend, 2),
            ("and woken", wake, 3),
        ):
            before, since = dict(watch.owners), time.monotonic()
            action()
            wait_until(spread(count))
            time.sleep(3)
            until = time.monotonic() - 0.5
            moved = {p for p, owner in watch.owners.items() if owner != before[p]}
            assert len(moved) <= 3, f"{name}: partitions moved without need"
            both = watch.handled, watch.visible
            rows = {p: [round(seen.pause(p, since, until), 1) for seen in both] for p in range(6)}
            stayed = rows.keys() - moved
            print(f"{name}: {len(moved)} of 6 moved; handled and visible after seconds:", rows)
            pauses[name] = max(max(rows[p]) for p in stayed), max(max(rows[p]) for p in moved)
            print(f"  others {pauses[name][0]:.1f} s, moved {pauses[name][1]:.1f} s")
    stop(processes)
    flows.finish("catalog")

    assert changes(flows) == watch.sent
    for name, (of_others, of_moved) in pauses.items():
        # Seconds below that are the machine's: the doubles write to its disk, which others use.
        assert of_others < SESSION_SECONDS, f"{name}: they waited for a process that was not theirs"
        assert of_moved <= MOVED_SECONDS, name
