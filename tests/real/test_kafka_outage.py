"""Outages of the broker: the flow waits, and nothing is lost or duplicated."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from dataflows.execution import UNAVAILABLE
from schemas.errors import Unavailable
from tests.flows.flow_process import Interruption
from tests.real.kafka_flows import PROCESSES, KafkaFlows, packet
from tests.real.own_servers import own_kafka
from tests.real.real_servers import RealKafka

pytestmark = pytest.mark.services

PACKETS = 600


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealKafka]:
    with own_kafka(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture
def flows(broker: RealKafka, tmp_path: Path) -> Iterator[KafkaFlows]:
    made = KafkaFlows(broker.brokers, tmp_path)
    made.create()
    made.topic("updates").append(packet(f"p{n % 20}", n) for n in range(PACKETS))
    yield made
    # A test that failed may have left the broker paused or killed.
    broker.ours.stop()
    broker.ours.start()


def started(flows: KafkaFlows, **kafka: int) -> tuple[ForkServerProcess, Callable[[], None]]:
    """A flow in its 50th call, and what lets that call return: it cannot be done before."""
    held = Interruption(50, PROCESSES.Event(), PROCESSES.Event())
    process = flows.start("catalog", flows.settings("recovery", **kafka), interruption=held)
    assert held.ready.wait(90)
    assert held.release is not None
    return process, held.release.set


def wait_until(reached: Callable[[], bool]) -> None:
    until = time.monotonic() + 180
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
    flow, release = started(flows)
    broker.ours.pause()
    release()
    time.sleep(15)
    broker.ours.resume()

    wait_until(lambda: all_written(flows))
    flow.terminate()
    flow.join(120)

    assert flow.exitcode == 0
    expect_everything_once_and_in_order(flows)


def test_a_broker_that_is_killed_and_restarted(broker: RealKafka, flows: KafkaFlows) -> None:
    flow, release = started(flows)
    broker.ours.kill()
    release()
    time.sleep(3)
    broker.ours.start()

    wait_until(lambda: all_written(flows))
    flow.terminate()
    flow.join(120)

    assert flow.exitcode == 0
    expect_everything_once_and_in_order(flows)


def test_a_stop_in_an_outage_loses_nothing(broker: RealKafka, flows: KafkaFlows) -> None:
    flow, release = started(flows)
    broker.ours.kill()
    release()
    flow.terminate()
    flow.join(120)
    assert flow.exitcode == UNAVAILABLE

    broker.ours.start()
    flows.finish("catalog")

    expect_everything_once_and_in_order(flows)


def test_a_kill_in_an_outage_loses_nothing(broker: RealKafka, flows: KafkaFlows) -> None:
    """Records that the killed flow had sent may still arrive when the broker resumes."""
    flow, _ = started(flows)
    broker.ours.pause()
    time.sleep(1)
    flow.kill()
    flow.join()
    again = flows.start("catalog")
    time.sleep(1)
    broker.ours.resume()

    wait_until(lambda: all_written(flows))
    again.terminate()
    again.join(120)

    assert again.exitcode == 0
    expect_everything_once_and_in_order(flows)


def ran(flows: KafkaFlows) -> bool:
    """Run the flow as an orchestrator does that starts it again while Kafka does not answer."""
    code = flows.run()
    assert code in (0, UNAVAILABLE)
    return code == 0


def test_an_outage_longer_than_the_delivery_timeout_stops_the_flow(
    broker: RealKafka, flows: KafkaFlows
) -> None:
    # The session lasts longer: a member without partitions has nothing to deliver, and waits.
    flow, release = started(flows, delivery_timeout_seconds=4, session_timeout_seconds=120)
    broker.ours.pause()
    release()
    flow.join(120)
    assert flow.exitcode == UNAVAILABLE

    broker.ours.resume()
    wait_until(lambda: ran(flows))  # the controller may need longer than a flow waits at its start

    expect_everything_once_and_in_order(flows)
