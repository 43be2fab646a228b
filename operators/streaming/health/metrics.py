"""Every metric of a running flow: its kind, name, unit and meaning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""Items; doubling, as batch sizes are chosen."""
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""From a cache hit to a catalog packet's whole budget."""


class FlowMetrics:
    """The metrics of one process, on a registry of their own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.records_in = Counter(
            "looksync_records_in",
            "Records read from a topic.",
            ["topic", "partition"],
            registry=registry,
        )
        self.records_out = Counter(
            "looksync_records_out",
            "Records handed to a topic's sink, dead letters included.",
            ["topic"],
            registry=registry,
        )
        self.records_dead = Counter(
            "looksync_records_dead",
            "Records that became dead letters, by the topic they came from and the reason.",
            ["topic", "reason"],
            registry=registry,
        )
        self.lag_bytes = Gauge(
            "looksync_lag_bytes",
            "Bytes of a file topic's partition that have not been read.",
            ["topic", "partition"],
            registry=registry,
        )
        self.lag_records = Gauge(
            "looksync_lag_records",
            "Records of a Kafka topic's partition that have not been read.",
            ["topic", "partition"],
            registry=registry,
        )
        self.records_lost = Counter(
            "looksync_records_lost",
            "Records deleted from a topic before they were read (topics.kafka.accept_gaps).",
            ["topic", "partition"],
            registry=registry,
        )
        self.topics_down = Gauge(
            "looksync_topics_down",
            "1 while the brokers do not answer, and the flow waits for them.",
            registry=registry,
        )
        self.in_flight = Gauge(
            "looksync_in_flight",
            "Items read by a flow whose outcome has not been emitted.",
            ["flow"],
            registry=registry,
        )
        self.waiting = Gauge(
            "looksync_waiting",
            "Items in flight that wait to be tried again because something is unavailable.",
            ["flow"],
            registry=registry,
        )
        self.batch_size = Histogram(
            "looksync_batch_size",
            "Items that one batch call of a part took.",
            ["part"],
            buckets=SIZES,
            registry=registry,
        )
        self.batch_wait = Histogram(
            "looksync_batch_wait_seconds",
            "Seconds that the first item of a batch waited for it to begin.",
            ["part"],
            buckets=SECONDS,
            registry=registry,
        )
        self.stage_latency = Histogram(
            "looksync_stage_seconds",
            "Seconds that one item spent in a stage; stage 'record': its whole handling.",
            ["flow", "stage"],
            buckets=SECONDS,
            registry=registry,
        )
        self.decisions = Counter(
            "looksync_catalog_decisions",
            "Packets by what the catalog flow did with them (schemas.catalog.Decision).",
            ["decision"],
            registry=registry,
        )
        self.embeddings = Counter(
            "looksync_catalog_embeddings",
            "Product pictures embedded by the catalog flow.",
            registry=registry,
        )
        self.degradations = Counter(
            "looksync_look_degradations",
            "Parts that failed or were late in the look flow, as stage:cause.",
            ["degradation"],
            registry=registry,
        )
        self.repaired_answers = Counter(
            "looksync_vlm_repaired_answers",
            "Repairs of a vision-language model's answers; several may befall one answer.",
            ["kind"],
            registry=registry,
        )
        self.refused_looks = Counter(
            "looksync_looks_refused",
            "Looks whose event says that they could not be matched at all.",
            ["reason"],
            registry=registry,
        )
        self.repeated_looks = Counter(
            "looksync_looks_repeated",
            "Looks dropped because another record with their look_id came first.",
            registry=registry,
        )

    def counts(self) -> dict[str, Any]:
        """What was counted so far, for the flow's last log line; zero counters are left out."""
        return {
            "records_in": _by_label(self.records_in, "topic"),
            "records_out": _by_label(self.records_out, "topic"),
            "records_dead": _by_label(self.records_dead, "reason"),
            "decisions": _by_label(self.decisions, "decision"),
            "embeddings": sum(_by_label(self.embeddings, None).values()),
            "degradations": _by_label(self.degradations, "degradation"),
            "looks_refused": _by_label(self.refused_looks, "reason"),
            "looks_repeated": sum(_by_label(self.repeated_looks, None).values()),
        }

    def observe_batches(self, part: str) -> Callable[[int, float], None]:
        """What a MicroBatcher under ``part`` reports its batches to."""
        sizes, waits = self.batch_size.labels(part), self.batch_wait.labels(part)

        def observe(size: int, waited_seconds: float) -> None:
            sizes.observe(size)
            waits.observe(waited_seconds)

        return observe

    def observe_source(self, topic: str, lag: Gauge) -> Callable[[int, int, int], None]:
        """What a source reports partition, records emitted and its ``lag`` to."""

        def observe(partition: int, emitted: int, not_read: int) -> None:
            self.records_in.labels(topic, partition).inc(emitted)
            lag.labels(topic, partition).set(not_read)

        return observe


def _by_label(counter: Counter, label: str | None) -> dict[str, int]:
    """The counter's values summed over its other labels; without a label under ''."""
    sums: dict[str, int] = {}
    for family in counter.collect():
        for sample in family.samples:
            if sample.name.endswith("_total") and sample.value:
                name = sample.labels[label] if label else ""
                sums[name] = sums.get(name, 0) + int(sample.value)
    return sums
