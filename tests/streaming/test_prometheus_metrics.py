"""Metrics are served while asked to be, and not beyond."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request

import pytest
from prometheus_client import CollectorRegistry

from operators.streaming.metrics import FlowMetrics, served


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_served_until_the_end_and_no_longer() -> None:
    metrics, port = FlowMetrics(CollectorRegistry()), free_port()
    metrics.observe_batches("encoder")(8, 0.003)
    metrics.observe_source("catalog.updates", metrics.lag_bytes)(1, 12, 3400)
    url = f"http://127.0.0.1:{port}/metrics"

    with served(metrics, port):
        page = urllib.request.urlopen(url, timeout=5).read().decode()

    assert 'looksync_batch_size_bucket{le="8.0",part="encoder"} 1.0' in page
    assert 'looksync_records_in_total{partition="1",topic="catalog.updates"} 12.0' in page
    assert 'looksync_lag_bytes{partition="1",topic="catalog.updates"} 3400.0' in page
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(url, timeout=5)


def test_two_flows_in_one_process_do_not_share_metrics() -> None:
    first, second = FlowMetrics(CollectorRegistry()), FlowMetrics(CollectorRegistry())

    first.embeddings.inc()

    assert second.registry.get_sample_value("looksync_catalog_embeddings_total") == 0
