"""What each flow does now, for people: by its process on this host, and by its consumer group."""

from __future__ import annotations

from typing import Literal

import httpx
from pydantic import ValidationError

from dataflows.wiring.topics import FlowTopic, open_topic
from operators.streaming.kafka.groups import GroupReport, group_report
from operators.streaming.kafka.topic import KafkaTopic
from schemas.health import FlowHealth
from schemas.settings import Settings

Flow = Literal["catalog", "looks"]
FLOWS: tuple[Flow, ...] = ("catalog", "looks")
HEALTH_SECONDS = 2.0


def source_of(flow: Flow, settings: Settings) -> FlowTopic:
    """The topic that ``flow`` reads."""
    topics = settings.topics
    return open_topic(topics, topics.updates if flow == "catalog" else topics.looks)


def group_of(flow: Flow, settings: Settings) -> str:
    """The name of its consumer group."""
    return f"{settings.topics.kafka.group_prefix}.{flow}"


def health_of(flow: Flow, settings: Settings) -> FlowHealth | None:
    """Of the process on this host; None when there is none. Blocks."""
    own = settings.stream.catalog if flow == "catalog" else settings.stream.looks
    try:
        answer = httpx.get(f"http://127.0.0.1:{own.metrics_port}/readyz", timeout=HEALTH_SECONDS)
        return FlowHealth.model_validate_json(answer.content)
    except (httpx.HTTPError, ValidationError):
        return None


def report_of(flow: Flow, settings: Settings) -> GroupReport | None:
    """What the brokers know of its group; None on file topics. Blocks.

    Raises Misconfigured when the brokers refuse to answer, Unavailable when they do not.
    """
    topic = source_of(flow, settings)
    if not isinstance(topic, KafkaTopic):
        return None
    return group_report(topic, group_of(flow, settings))


def in_words(health: FlowHealth) -> str:
    """``health`` as the rest of a sentence about a process."""
    state = "is ready" if health.ready else "is not ready"
    if health.stopping:
        state = "is stopping"
    away = "".join(f", waits for {part.part} ({part.why})" for part in health.away)
    lag = sum(lag.value for lag in health.lag)
    return f"{state}{away}, {health.in_flight} records in flight, {lag:.0f} not read"
