"""The broker goes away and comes back: the flow waits, and nothing is lost or doubled."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
from conftest import own_kafka
from flows.flow_process import Effects
from kafka_flows import KafkaFlows, packet
from real_servers import RealKafka

from dataflows.execution import UNAVAILABLE
from schemas.errors import Unavailable

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]

PACKETS = 600


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealKafka]:
    with own_kafka(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture
def flows(broker: RealKafka, tmp_path: Path) -> KafkaFlows:
    made = KafkaFlows(broker.brokers, tmp_path)
    made.create()
    made.topic("updates").append(packet(f"p{n % 20}", n) for n in range(PACKETS))
    return made


def started(flows: KafkaFlows) -> ForkServerProcess:
    """The flow, in the middle of its work."""
    process = flows.start("catalog")
    wait_until(lambda: Effects(flows.base).calls() > 50)
    return process


def wait_until(reached: Callable[[], bool]) -> None:
    until = time.monotonic() + 90
    while not reached():
        assert time.monotonic() < until
        time.sleep(0.05)


def changed(flows: KafkaFlows) -> list[tuple[str, int]]:
    return [(record.key, json.loads(record.value)["version"]) for record in flows.read("changes")]


def all_written(flows: KafkaFlows) -> bool:
    try:
        return len(changed(flows)) >= PACKETS
    except Unavailable:  # a broker that comes back has no leaders for a while
        return False


def expect_everything_once_and_in_order(flows: KafkaFlows) -> None:
    found = changed(flows)
    for product in range(20):
        versions = [version for key, version in found if key == f"acme:p{product}"]
        assert versions == list(range(product, PACKETS, 20))
    assert len(found) == PACKETS


def test_a_broker_that_is_paused_is_waited_for(broker: RealKafka, flows: KafkaFlows) -> None:
    flow = started(flows)
    broker.ours.pause()
    time.sleep(15)
    broker.ours.resume()

    wait_until(lambda: all_written(flows))
    flow.terminate()
    flow.join(60)

    assert flow.exitcode == 0
    expect_everything_once_and_in_order(flows)


def test_a_broker_that_is_killed_and_restarted(broker: RealKafka, flows: KafkaFlows) -> None:
    flow = started(flows)
    broker.ours.kill()
    time.sleep(3)
    broker.ours.start()

    wait_until(lambda: all_written(flows))
    flow.terminate()
    flow.join(60)

    assert flow.exitcode == 0
    expect_everything_once_and_in_order(flows)


def test_a_stop_in_an_outage_loses_nothing(broker: RealKafka, flows: KafkaFlows) -> None:
    flow = started(flows)
    broker.ours.kill()
    flow.terminate()
    flow.join(60)
    assert flow.exitcode == UNAVAILABLE

    broker.ours.start()
    flows.finish("catalog")

    expect_everything_once_and_in_order(flows)


def test_a_kill_in_an_outage_loses_nothing(broker: RealKafka, flows: KafkaFlows) -> None:
    """What the killed flow had sent may still arrive when the broker goes on."""
    flow = started(flows)
    broker.ours.pause()
    time.sleep(1)
    flow.kill()
    flow.join()
    again = flows.start("catalog")
    time.sleep(1)
    broker.ours.resume()

    wait_until(lambda: all_written(flows))
    again.terminate()
    again.join(60)

    assert again.exitcode == 0
    expect_everything_once_and_in_order(flows)


def test_an_outage_longer_than_the_delivery_timeout_stops_the_flow(
    broker: RealKafka, flows: KafkaFlows
) -> None:
    flow = flows.start("catalog", flows.settings(delivery_timeout_seconds=4))
    wait_until(lambda: Effects(flows.base).calls() > 50)
    broker.ours.pause()
    flow.join(60)
    assert flow.exitcode == UNAVAILABLE

    broker.ours.resume()
    flows.finish("catalog")

    expect_everything_once_and_in_order(flows)
