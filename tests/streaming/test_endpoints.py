"""Metrics and health are served until the server is closed."""

from __future__ import annotations

import threading
import urllib.error

import pytest
from prometheus_client import CollectorRegistry

from operators.streaming.engine.gate import Gate
from operators.streaming.health.endpoints import serve
from operators.streaming.health.health import Health
from operators.streaming.health.metrics import FlowMetrics
from schemas.errors import Misconfigured
from schemas.health import FlowHealth
from services.processes import free_port
from tests.watched_flow import request_path


@pytest.fixture
def metrics() -> FlowMetrics:
    return FlowMetrics(CollectorRegistry())


@pytest.fixture
def health(metrics: FlowMetrics) -> Health:
    return Health("catalog", Gate(8), metrics, threading.Event())


def test_metrics_are_served_until_the_end_and_no_longer(
    metrics: FlowMetrics, health: Health
) -> None:
    metrics.observe_batches("encoder")(8, 0.003)
    metrics.observe_source("catalog.updates", metrics.lag_bytes)(1, 12, 3400)
    port = free_port()

    with serve(metrics, health, "127.0.0.1", port):
        code, page = request_path(port, "/metrics")

    assert code == 200
    assert 'looksync_batch_size_bucket{le="8.0",part="encoder"} 1.0' in page
    assert 'looksync_records_in_total{partition="1",topic="catalog.updates"} 12.0' in page
    assert 'looksync_lag_bytes{partition="1",topic="catalog.updates"} 3400.0' in page
    with pytest.raises(urllib.error.URLError):
        request_path(port, "/metrics")


def test_a_flow_that_has_not_started_is_alive_and_nothing_else(
    metrics: FlowMetrics, health: Health
) -> None:
    port = free_port()

    with serve(metrics, health, "127.0.0.1", port):
        answers = [
            request_path(port, path) for path in ("/startupz", "/livez", "/readyz", "/healthz")
        ]

    assert [status for status, _ in answers] == [503, 200, 503, 404]
    body = FlowHealth.model_validate_json(answers[2][1])
    assert (body.flow, body.started, body.ready) == ("catalog", False, False)


def test_a_port_in_use_is_said_in_words(metrics: FlowMetrics, health: Health) -> None:
    port = free_port()

    with (
        serve(metrics, health, "127.0.0.1", port),
        pytest.raises(Misconfigured, match=f"127.0.0.1:{port}.*metrics_port"),
        serve(metrics, health, "127.0.0.1", port),
    ):
        pass
