"""Processes come and go while a topic is read: Kafka moves the partitions, and nothing is lost,
doubled or reordered."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import defaultdict
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions

from dataflows.execution import MISCONFIGURED
from operators.streaming.kafka.records import key_bytes
from tests.flows.flow_process import Effects
from tests.real.kafka_flows import KafkaFlows, packet
from tests.real.real_servers import RealKafka

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


def wait_until(reached: Callable[[], bool]) -> None:
    until = time.monotonic() + 120
    while not reached():
        assert time.monotonic() < until
        time.sleep(0.05)


def stop(processes: list[ForkServerProcess]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(180)
        assert process.exitcode == 0


def committed(flows: KafkaFlows) -> dict[int, int]:
    """What the group's lag is counted from."""
    name = flows.topic("updates").name
    consumer = flows.topic("updates").brokers.consumer(f"{flows.prefix}.catalog")
    try:
        asked = [TopicPartition(name, partition) for partition in range(flows.partitions)]
        return {at.partition: at.offset for at in consumer.committed(asked, timeout=10)}
    finally:
        consumer.close()


def test_two_processes_five_and_one_under_load(flows: KafkaFlows) -> None:
    """Nobody waits for anybody: processes are added and stopped in the middle of the work."""
    feed(flows, range(6000))
    effects = Effects(flows.base)

    def worked(calls: int) -> None:
        wait_until(lambda: effects.calls() > calls)

    processes = [flows.start("catalog") for _ in range(2)]
    worked(100)
    processes += [flows.start("catalog") for _ in range(3)]
    worked(1000)
    stop(processes[:4])
    worked(2000)
    stop(processes[4:])
    assert effects.calls() < 6000, "all was done"

    flows.finish("catalog")

    assert changes(flows) == expected(6000)
    assert effects.calls() == len(effects.all()) == 6000, "an orderly move repeats no call"


def suspend(process: ForkServerProcess, flows: KafkaFlows) -> None:
    """Suspend ``process``, but not while it holds the lock of the effects: others need it."""
    effects = Effects(flows.base)
    assert process.pid is not None
    while True:
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(0.05)
        if effects.can_write():
            return
        os.kill(process.pid, signal.SIGCONT)
        time.sleep(0.05)


def test_whatever_happens_to_the_processes(flows: KafkaFlows) -> None:
    """Killed, stopped, suspended until others have their partitions, and woken, at random."""
    chance = random.Random(4)
    processes = [flows.start("catalog") for _ in range(3)]
    suspended: list[ForkServerProcess] = []
    total = 0
    for action in chance.choices(["start", "kill", "stop", "suspend", "wake"], k=16):
        feed(flows, range(total, total + 200))
        total += 200
        time.sleep(chance.uniform(0.5, 3.0))
        process = chance.choice(processes) if processes else flows.start("catalog")
        assert process.pid is not None
        match action:
            case "start" if len(processes) < 5:
                processes.append(flows.start("catalog"))
            case "kill" if process in processes:
                process.kill()
                processes.remove(process)
            case "stop" if process in processes:
                stop([process])
                processes.remove(process)
            case "suspend" if process in processes:
                suspend(process, flows)
                processes.remove(process)
                suspended.append(process)
            case "wake" if suspended:
                woken = suspended.pop(0)
                assert woken.pid is not None
                os.kill(woken.pid, signal.SIGCONT)
                processes.append(woken)
        if not processes:
            processes.append(flows.start("catalog"))
    for process in suspended:
        assert process.pid is not None
        os.kill(process.pid, signal.SIGCONT)
    time.sleep(2)
    for process in [*processes, *suspended]:
        process.terminate()
        process.join(180)
        assert process.exitcode == 0

    flows.finish("catalog")

    assert changes(flows) == expected(total)


def test_what_a_suspended_process_holds_is_never_written(flows: KafkaFlows) -> None:
    """Others have long handled it when it wakes."""
    feed(flows, range(2000))
    effects = Effects(flows.base)
    first = flows.start("catalog")
    wait_until(lambda: effects.calls() > 50)
    assert first.pid is not None
    suspend(first, flows)

    flows.finish("catalog")
    os.kill(first.pid, signal.SIGCONT)
    time.sleep(3)
    stop([first])

    assert changes(flows) == expected(2000)


def test_partitions_of_a_killed_process_go_to_the_others(flows: KafkaFlows) -> None:
    """Within the session timeout (6 s here) and 5 s, while the others go on."""
    effects = Effects(flows.base)
    processes = [flows.start("catalog") for _ in range(2)]
    feed(flows, range(400))
    wait_until(lambda: effects.calls() >= 400)

    processes[0].kill()
    killed = time.monotonic()
    feed(flows, range(400, 800))
    # Not the calls: those that the killed process had not committed are made again.
    wait_until(lambda: len(effects.all()) == 800)
    seconds = time.monotonic() - killed
    stop(processes[1:])

    assert seconds < 6 + 5 + 5, "5 for a busy machine"
    assert changes(flows) == expected(800)


def test_partitions_that_are_added_are_read_within_a_minute(flows: KafkaFlows) -> None:
    flow = flows.start("catalog")
    feed(flows, range(40))
    wait_until(lambda: Effects(flows.base).calls() == 40)
    name = flows.topic("updates").name
    admin = AdminClient({"bootstrap.servers": flows.brokers})
    admin.create_partitions([NewPartitions(name, 8)])[name].result(10)
    producer = Producer({"bootstrap.servers": flows.brokers})
    for partition in (6, 7):
        record = packet(f"new-{partition}", 1)
        producer.produce(name, record.value, key_bytes(record), partition=partition)
    added = time.monotonic()
    assert producer.flush(10) == 0

    wait_until(lambda: Effects(flows.base).calls() == 42)

    assert time.monotonic() - added < 60
    stop([flow])


def test_the_lag_of_the_group_goes_while_the_flow_runs(flows: KafkaFlows) -> None:
    feed(flows, range(600))
    ends = flows.topic("updates").end_offsets()
    flow = flows.start("catalog")

    wait_until(lambda: sum(committed(flows).values()) > 0)
    handled = sum(committed(flows).values())
    assert Effects(flows.base).calls() >= handled, "no commit is ahead of its calls"
    wait_until(lambda: committed(flows) == ends)

    flow.kill()
    flow.join()
    flows.finish("catalog")
    assert changes(flows) == expected(600)


def test_of_two_processes_with_one_name_the_later_goes_on(flows: KafkaFlows) -> None:
    feed(flows, range(1200))
    settings = flows.settings()
    stream = settings.stream.model_copy(update={"instance": "one"})
    settings = settings.model_copy(update={"stream": stream})
    first = flows.start("catalog", settings)
    wait_until(lambda: Effects(flows.base).calls() > 50)
    second = flows.start("catalog", settings)

    first.join(120)
    wait_until(lambda: len(flows.read("changes")) == 1200)
    stop([second])

    assert first.exitcode == MISCONFIGURED
    assert changes(flows) == expected(1200)
