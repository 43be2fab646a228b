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
        topics = {settings.topics.updates, settings.topics.changes}
        flow = WatchedFlow(settings.model_copy(update={"stream": stream}))

        def outage() -> None:
            flow.reaches("/readyz", 200)

            kafka.ours.pause()
            try:
                during = flow.reaches("/readyz", 503, seconds=90)
                alive = flow.status("/livez")
            finally:
                kafka.ours.resume()

            assert alive == 200
            assert {part["part"] for part in during["away"]} & {"kafka", *topics}
            assert flow.reaches("/readyz", 200)["away"] == []

        assert flow.run_while(outage) == 0
