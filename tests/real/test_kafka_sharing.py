"""Processes share the partitions of a topic: more of them, fewer, two of the same."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import defaultdict
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition
from flows.flow_process import Effects
from kafka_flows import KafkaFlows, packet
from real_servers import RealKafka

from dataflows.execution import MISCONFIGURED

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]

PRODUCTS = 40


@pytest.fixture
def flows(kafka: RealKafka, tmp_path: Path) -> KafkaFlows:
    made = KafkaFlows(kafka.brokers, tmp_path, partitions=6)
    made.create()
    return made


def feed(flows: KafkaFlows, versions: range) -> None:
    flows.topic("updates").append(packet(f"p{n % PRODUCTS}", n) for n in versions)


def changes(flows: KafkaFlows) -> dict[str, list[int]]:
    """Per product, the versions on catalog.changes in their order there."""
    found: dict[str, list[int]] = defaultdict(list)
    for record in flows.read("changes"):
        found[record.key].append(json.loads(record.value)["version"])
    return dict(found)


def expected(count: int) -> dict[str, list[int]]:
    return {f"acme:p{n}": list(range(n, count, PRODUCTS)) for n in range(PRODUCTS)}


def wait_until(reached: Callable[[], bool], processes: list[ForkServerProcess]) -> None:
    until = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < until
        assert all(process.is_alive() for process in processes)
        time.sleep(0.05)


def stop(processes: list[ForkServerProcess]) -> None:
    for process in processes:
        assert process.pid is not None
        process.terminate()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0


def start_all(flows: KafkaFlows, count: int) -> list[ForkServerProcess]:
    return [flows.start("catalog", flows.settings(count, ordinal)) for ordinal in range(count)]


def test_two_processes_three_and_two_again(flows: KafkaFlows) -> None:
    """Stopped in the middle of their work each time, so that inputs are in flight."""
    total = 0
    for round_, count in enumerate([2, 3, 2, 3]):
        feed(flows, range(total, total + 1200))
        total += 1200
        effects = Effects(flows.base)
        before = effects.calls()
        processes = start_all(flows, count)
        wait_until(lambda: effects.calls() > before + 100, processes)  # noqa: B023
        stop(processes)
        assert effects.calls() < total, f"round {round_}: all was done"

    for ordinal in range(2):
        flows.finish("catalog", flows.settings(2, ordinal))

    assert changes(flows) == expected(total)
    assert effects.calls() == len(effects.all()) == total, "an orderly stop repeats no call"


def test_after_a_kill_the_old_processes_are_wanted_back(flows: KafkaFlows) -> None:
    feed(flows, range(1200))
    first = flows.start("catalog", flows.settings(2, 0))
    wait_until(lambda: Effects(flows.base).calls() > 50, [first])
    second = flows.start("catalog", flows.settings(2, 1))
    wait_until(lambda: Effects(flows.base).calls() > 100, [first, second])
    first.kill()
    stop([second])

    refused = flows.start("catalog", flows.settings(3, 0), once=True)
    refused.join(60)
    assert refused.exitcode == MISCONFIGURED, "partitions 0 and 3 of 6: 0 was the killed one's"

    flows.finish("catalog", flows.settings(2, 0))
    for ordinal in range(3):
        flows.finish("catalog", flows.settings(3, ordinal))
    assert changes(flows) == expected(1200)


def test_six_that_start_at_once_each_get_their_share(flows: KafkaFlows) -> None:
    """Their claims get in each other's way, and all of them go through."""
    feed(flows, range(600))
    settings = [flows.settings(6, ordinal) for ordinal in range(6)]

    processes = [flows.start("catalog", setting, once=True) for setting in settings]
    for process in processes:
        process.join(90)

    assert [process.exitcode for process in processes] == [0] * 6
    assert changes(flows) == expected(600)


def committed(flows: KafkaFlows) -> dict[int, int]:
    """What the group's lag is counted from."""
    name = flows.topic("updates").name
    consumer = flows.topic("updates").brokers.consumer(f"{flows.prefix}.catalog")
    try:
        asked = [TopicPartition(name, partition) for partition in range(flows.partitions)]
        return {at.partition: at.offset for at in consumer.committed(asked, timeout=10)}
    finally:
        consumer.close()


def test_the_lag_of_the_group_goes_while_the_flow_runs(flows: KafkaFlows) -> None:
    feed(flows, range(600))
    ends = flows.topic("updates").end_offsets()
    flow = flows.start("catalog")

    wait_until(lambda: sum(committed(flows).values()) > 0, [flow])
    assert Effects(flows.base).calls() >= sum(committed(flows).values()), "none is ahead"
    wait_until(lambda: committed(flows) == ends, [flow])

    flow.kill()
    flow.join()
    flows.finish("catalog")
    assert changes(flows) == expected(600)


def start_two_at_once(flows: KafkaFlows) -> list[ForkServerProcess]:
    """For the same partitions, each with a recovery store of its own."""
    return [flows.start("catalog", flows.settings(folder=f"recovery{n}")) for n in range(2)]


def test_of_two_that_start_at_once_one_goes_on(flows: KafkaFlows) -> None:
    feed(flows, range(1200))
    processes = start_two_at_once(flows)
    wait_until(lambda: any(process.exitcode is not None for process in processes), [])
    (refused,) = [process for process in processes if process.exitcode is not None]
    (going_on,) = [process for process in processes if process is not refused]

    wait_until(lambda: Effects(flows.base).calls() == 1200, [going_on])
    stop([going_on])

    assert refused.exitcode == MISCONFIGURED
    assert changes(flows) == expected(1200)


def test_a_second_process_is_refused_while_the_first_goes_on(flows: KafkaFlows) -> None:
    feed(flows, range(1200))
    first = flows.start("catalog")
    wait_until(lambda: Effects(flows.base).calls() > 50, [first])

    for forced in (False, True):
        second = flows.start("catalog", flows.settings(folder="other", take_over=forced))
        second.join(60)
        assert second.exitcode == MISCONFIGURED

    wait_until(lambda: Effects(flows.base).calls() == 1200, [first])
    stop([first])
    assert changes(flows) == expected(1200)


def test_a_process_that_was_given_up_stops_when_it_wakes(flows: KafkaFlows) -> None:
    """Suspended beyond its assurance, taken over by force, woken: nothing lost, the race told.

    What its unfinished epoch had written, or handed to the client, may stand there twice.
    """
    feed(flows, range(1200))
    first = flows.start("catalog")
    wait_until(lambda: Effects(flows.base).calls() > 50, [first])
    assert first.pid is not None
    os.kill(first.pid, signal.SIGSTOP)
    called = Effects(flows.base).calls()

    flows.finish("catalog", flows.settings(folder="other", take_over=True))
    os.kill(first.pid, signal.SIGCONT)
    first.join(60)

    assert first.exitcode == MISCONFIGURED
    assert {key: sorted(set(found)) for key, found in changes(flows).items()} == expected(1200)
    assert len(flows.read("changes")) <= 1200 + called
