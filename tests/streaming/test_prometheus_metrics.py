"""Metrics are counted per flow."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from operators.streaming.health.metrics import FlowMetrics


def test_two_flows_in_one_process_do_not_share_metrics() -> None:
    first, second = FlowMetrics(CollectorRegistry()), FlowMetrics(CollectorRegistry())

    first.embeddings.inc()

    assert second.registry.get_sample_value("looksync_catalog_embeddings_total") == 0
