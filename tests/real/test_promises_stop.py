"""SIGTERM during processing: both flows drain, exit with 0, and repeat nothing."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sandbox.life import draw_world
from services.processes import Child
from tests.real.whole_system import deployment_on, real_servers

pytestmark = pytest.mark.services


def handled(child: Child, flow: str) -> list[int]:
    """Per run of the flow, the records that it handled, from its final log line."""
    events = (json.loads(line) for line in child.log.read_text().splitlines() if line[:1] == "{")
    return [_handled(flow, event["counts"]) for event in events if event["event"] == "flow ended"]


def _handled(flow: str, counts: dict[str, Any]) -> int:
    if flow == "catalog":
        numbers = [*counts["decisions"].values(), *counts["records_dead"].values()]
    else:
        numbers = [*counts["records_out"].values(), counts["looks_repeated"]]
    return sum(map(int, numbers))


def test_a_stopped_flow_repeats_nothing(tmp_path: Path) -> None:
    world = draw_world(tmp_path / "world", seed=51, products=3_000, looks=30, pictured=100)
    records = {
        "catalog": ("catalog.updates", "catalog.changes", [*world.packet_records()]),
        "looks": ("looks.generated", "looks.matched", [*world.look_event_records()]),
    }
    with real_servers(tmp_path) as servers:
        deployment = deployment_on(servers, tmp_path / "system", world)
        for flow, (topic, output, feed) in records.items():
            deployment.topic(topic).append(feed)
            child = deployment.start(flow)
            while not deployment.answers(flow, "startupz"):
                assert child.exit_code is None, child.log_tail()
                time.sleep(0.1)
            while next(deployment.records(output), None) is None:  # the first results are out
                assert child.exit_code is None, child.log_tail()
                time.sleep(0.1)
            assert child.exit_code is None, "it exited before it was stopped"

            assert child.stop() == 0, child.log_tail()  # a kill after the grace period is a failure

            last = deployment.start(flow, once=True)
            assert last.process.wait(600) == 0, last.log_tail()
            first_run, second_run = handled(last, flow)
            assert 0 < first_run < len(feed), "it was not stopped during processing"
            assert first_run + second_run == len(feed)
        events = Counter(record.key for record in deployment.records("looks.matched"))

    assert events == Counter({record.key: 1 for record in records["looks"][2]})
