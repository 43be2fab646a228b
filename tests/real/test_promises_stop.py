"""SIGTERM in the middle of work: both flows drain, end with 0 in time, and repeat nothing."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path

import pytest
from whole_system import deployment_on, real_servers

from sandbox.life import draw_world
from services.processes import Child

pytestmark = [pytest.mark.services, pytest.mark.timeout(1200)]


def handled(child: Child, topic: str) -> list[int]:
    """Per life of the flow, the records that it read from ``topic``, as it says at its end."""
    told = (json.loads(line) for line in child.log.read_text().splitlines() if line[:1] == "{")
    return [
        event["counts"]["records_in"].get(topic, 0)
        for event in told
        if event["event"] == "flow ended"
    ]


def test_a_flow_that_is_told_to_end_repeats_nothing(tmp_path: Path) -> None:
    world = draw_world(tmp_path / "world", seed=51, products=3_000, looks=30, pictured=100)
    records = {
        "catalog": ("catalog.updates", [*world.packet_records()]),
        "looks": ("looks.generated", [*world.look_event_records()]),
    }
    with real_servers(tmp_path) as servers:
        deployment = deployment_on(servers, tmp_path / "system", world)
        for flow, (topic, feed) in records.items():
            deployment.topic(topic).append(feed)
            child = deployment.start(flow)
            while not deployment.answers(flow, "startupz"):
                assert child.exit_code is None, child.log_tail()
                time.sleep(0.1)
            time.sleep(3)
            assert child.exit_code is None, "it has ended before it was told to"

            assert child.stop() == 0, child.log_tail()  # kills, and so fails, after 30 s

            last = deployment.start(flow, once=True)
            assert last.process.wait(600) == 0, last.log_tail()
            first_life, second_life = handled(last, topic)
            assert 0 < first_life < len(feed), "it was not in the middle of work"
            assert first_life + second_life == len(feed)
        events = Counter(record.key for record in deployment.records("looks.matched"))

    assert events == Counter({record.key: 1 for record in records["looks"][1]})
