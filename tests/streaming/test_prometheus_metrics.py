"""Metrics are counted per flow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from operators.streaming.health.metrics import FlowMetrics


def test_two_flows_in_one_process_do_not_share_metrics() -> None:
    first, second = FlowMetrics(CollectorRegistry()), FlowMetrics(CollectorRegistry())

    first.embeddings.inc()

    assert second.registry.get_sample_value("looksync_catalog_embeddings_total") == 0


@pytest.mark.parametrize(
    ("seconds_ago", "least", "most"), [(3600, 3600, 3660), (-3600, 0, 0)], ids=["past", "future"]
)
def test_the_age_of_an_event_is_never_negative(seconds_ago: int, least: int, most: int) -> None:
    metrics = FlowMetrics(CollectorRegistry())
    metrics.observe_age("looks", datetime.now(UTC) - timedelta(seconds=seconds_ago))
    metrics.observe_age("looks", None)
    value = metrics.registry.get_sample_value
    assert value("looksync_event_age_seconds_count", {"flow": "looks"}) == 1
    age = value("looksync_event_age_seconds_sum", {"flow": "looks"})
    assert age is not None
    assert least <= age <= most


def test_requests_are_counted_by_part_and_outcome() -> None:
    metrics = FlowMetrics(CollectorRegistry())
    request = metrics.meter("redis")
    with request():
        pass
    with pytest.raises(ValueError, match="away"), request():
        raise ValueError("away")
    counted = {
        outcome: metrics.registry.get_sample_value(
            "looksync_request_seconds_count", {"part": "redis", "outcome": outcome}
        )
        for outcome in ("ok", "error")
    }
    assert counted == {"ok": 1, "error": 1}
