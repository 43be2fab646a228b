"""While the broker hangs, a flow is alive but not ready, and reports since when; then it
resumes."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.processes import free_port
from tests.real.kafka_flows import KafkaFlows
from tests.real.own_servers import own_kafka
from tests.watched_flow import WatchedFlow

pytestmark = pytest.mark.services


def test_a_hanging_broker_is_reported(tmp_path: Path) -> None:
    with own_kafka(tmp_path / "kafka") as kafka:
        flows = KafkaFlows(kafka.brokers, tmp_path)
        flows.create()
        settings = flows.settings()
        serving = settings.stream.catalog.model_copy(update={"metrics_port": free_port()})
        stream = settings.stream.model_copy(update={"catalog": serving})
        flow = WatchedFlow(settings.model_copy(update={"stream": stream}))

        def outage() -> None:
            flow.wait_for_status("/readyz", 200)

            kafka.ours.pause()
            try:
                flow.wait_for_status("/readyz", 503, seconds=90)
                output = flow.wait_until_away("kafka", seconds=30)
                alive = flow.status("/livez")
            finally:
                kafka.ours.resume()

            assert output["waiting"] == 0, "no item waits for it, the engine does"
            assert output["seconds"] < 60
            assert alive == 200
            assert flow.wait_for_status("/readyz", 200)["away"] == []

        assert flow.run_while(outage) == 0
