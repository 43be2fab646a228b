"""While the broker hangs, a flow is alive and not ready, and says since when; then it goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import own_kafka
from kafka_flows import KafkaFlows
from watched_flow import WatchedFlow

from services.processes import free_port

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]


def test_a_hanging_broker_is_told(tmp_path: Path) -> None:
    with own_kafka(tmp_path / "kafka") as kafka:
        flows = KafkaFlows(kafka.brokers, tmp_path)
        flows.create()
        settings = flows.settings()
        serving = settings.stream.catalog.model_copy(update={"metrics_port": free_port()})
        stream = settings.stream.model_copy(update={"catalog": serving})
        flow = WatchedFlow(settings.model_copy(update={"stream": stream}))

        def outage() -> None:
            flow.reaches("/readyz", 200)

            kafka.ours.pause()
            try:
                flow.reaches("/readyz", 503, seconds=90)
                told = flow.tells("kafka", seconds=30)
                alive = flow.status("/livez")
            finally:
                kafka.ours.resume()

            assert told["waiting"] == 0, "no item waits for it, the engine does"
            assert told["seconds"] < 60
            assert alive == 200
            assert flow.reaches("/readyz", 200)["away"] == []

        assert flow.run_while(outage) == 0
