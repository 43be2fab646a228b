"""The metrics of a running flow: kind, name, unit and meaning."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from operators.metering import Meter

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""Items; doubling, like the batch sizes."""
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""From a cache hit to a catalog packet's whole budget."""

AGES = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86_400)
"""From a look that is matched at once to a backlog of a day."""


class FlowMetrics:
    """The metrics of one process, in their own registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        build = Info("looksync_build", "The version that runs.", registry=registry)
        build.info({"version": version("looksync")})
        self.records_in = Counter(
            "looksync_records_in",
            "Records read from a topic.",
            ["topic", "partition"],
            registry=registry,
        )
        self.records_out = Counter(
            "looksync_records_out",
            "Records passed to a topic's sink, including dead letters.",
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
            "1 while the brokers do not answer and the flow waits for them.",
            registry=registry,
        )
        self.in_flight = Gauge(
            "looksync_in_flight",
            "Items read by a flow whose outcome has not been emitted.",
            ["flow"],
            registry=registry,
        )
        self.bytes_in_flight = Gauge(
            "looksync_in_flight_bytes",
            "Bytes of the items in flight.",
            ["flow"],
            registry=registry,
        )
        self.paused = Gauge(
            "looksync_paused",
            "1 while the flow is paused by `looksync flow pause`.",
            ["flow"],
            registry=registry,
        )
        self.waiting = Gauge(
            "looksync_waiting",
            "Items in flight that wait for a retry because something is unavailable.",
            ["flow"],
            registry=registry,
        )
        self.batch_size = Histogram(
            "looksync_batch_size",
            "Items in one batch call of a part.",
            ["part"],
            buckets=SIZES,
            registry=registry,
        )
        self.batch_wait = Histogram(
            "looksync_batch_wait_seconds",
            "Seconds from a batch's first item to the start of its call.",
            ["part"],
            buckets=SECONDS,
            registry=registry,
        )
        self.stage_latency = Histogram(
            "looksync_stage_seconds",
            "Seconds that one item spent in a stage; stage 'record': in total.",
            ["flow", "stage"],
            buckets=SECONDS,
            registry=registry,
        )
        self.requests = Histogram(
            "looksync_request_seconds",
            "Seconds of a request to redis, weaviate, kafka (a transaction), vlm or pictures (a "
            "download), by outcome: ok or error.",
            ["part", "outcome"],
            buckets=SECONDS,
            registry=registry,
        )
        self.event_age = Histogram(
            "looksync_event_age_seconds",
            "Seconds from the time in a packet or look (sent_at, created_at) to its outcome.",
            ["flow"],
            buckets=AGES,
            registry=registry,
        )
        self.oldest_call = Gauge(
            "looksync_oldest_call_seconds",
            "Age of the oldest call of an item that has no outcome yet, retries included.",
            ["flow"],
            registry=registry,
        )
        self.owner_deaths = Counter(
            "looksync_owner_deaths",
            "Partitions taken over from a process that did not end in order (Kafka).",
            ["topic"],
            registry=registry,
        )
        self.vendor_packets = Counter(
            "looksync_vendor_packets",
            "Packets by vendor and what the catalog flow did with them.",
            ["vendor", "decision"],
            registry=registry,
        )
        self.decisions = Counter(
            "looksync_catalog_decisions",
            "Packets by what the catalog flow did with them (schemas.catalog.Decision).",
            ["decision"],
            registry=registry,
        )
        self.mapping_notes = Counter(
            "looksync_mapping_notes",
            "Values of vendors' packets that were cut, emptied or read leniently.",
            ["vendor", "field", "reason"],
            registry=registry,
        )
        self.pictures_pending = Counter(
            "looksync_pictures_pending",
            "Packets whose picture could not be fetched, by reason; it is tried again.",
            ["reason"],
            registry=registry,
        )
        self.products_not_fashion = Counter(
            "looksync_products_not_fashion",
            "Products found not to be fashion, by vendor; they are kept out of matching.",
            ["vendor"],
            registry=registry,
        )
        self.picture_hosts_shut = Gauge(
            "looksync_picture_hosts_shut",
            "Picture hosts that keep failing: nothing is asked of them for a while.",
            registry=registry,
        )
        self.embeddings = Counter(
            "looksync_catalog_embeddings",
            "Products that got a new vector; those with identical pictures share a call.",
            registry=registry,
        )
        self.degradations = Counter(
            "looksync_look_degradations",
            "Failed or late stages of the look flow, as stage:cause.",
            ["degradation"],
            registry=registry,
        )
        self.breaker_open = Gauge(
            "looksync_breaker_open",
            "1 while a part fails every call and the flow does without it.",
            ["part"],
            registry=registry,
        )
        self.repaired_answers = Counter(
            "looksync_vlm_repaired_answers",
            "Repairs of a vision-language model's answers; an answer may need several.",
            ["kind"],
            registry=registry,
        )
        self.refused_looks = Counter(
            "looksync_looks_refused",
            "Looks whose event says that they could not be matched.",
            ["reason"],
            registry=registry,
        )
        self.repeated_looks = Counter(
            "looksync_looks_repeated",
            "Looks dropped because an earlier record had the same look_id.",
            registry=registry,
        )

    def counts(self) -> dict[str, Any]:
        """The counters for the flow's last log line, without zeros."""
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

    def meter(self, part: str) -> Meter:
        """Of the requests to ``part``; a cancelled request counts as failed."""
        seconds = {outcome: self.requests.labels(part, outcome) for outcome in ("ok", "error")}

        @contextmanager
        def request() -> Iterator[None]:
            started, outcome = time.perf_counter(), "error"
            try:
                yield
                outcome = "ok"
            finally:
                seconds[outcome].observe(time.perf_counter() - started)

        return request

    def observe_age(self, flow: str, stated: datetime | None) -> None:
        """Note the outcome of an item of the time ``stated``; the future counts as now."""
        if stated is not None:
            age = (datetime.now(UTC) - stated).total_seconds()
            self.event_age.labels(flow).observe(max(0.0, age))

    def observe_batches(self, part: str) -> Callable[[int, float], None]:
        """A callback for the batches of a MicroBatcher, under the label ``part``."""
        sizes, waits = self.batch_size.labels(part), self.batch_wait.labels(part)

        def observe(size: int, waited_seconds: float) -> None:
            sizes.observe(size)
            waits.observe(waited_seconds)

        return observe

    def observe_source(self, topic: str, lag: Gauge) -> Callable[[int, int, int], None]:
        """A callback for a source: partition, records emitted, and lag (set on ``lag``)."""

        def observe(partition: int, emitted: int, not_read: int) -> None:
            self.records_in.labels(topic, partition).inc(emitted)
            lag.labels(topic, partition).set(not_read)

        return observe


def _by_label(counter: Counter, label: str | None) -> dict[str, int]:
    """The counter's values summed over all labels but ``label``; under '' when it is None."""
    sums: dict[str, int] = {}
    for family in counter.collect():
        for sample in family.samples:
            if sample.name.endswith("_total") and sample.value:
                name = sample.labels[label] if label else ""
                sums[name] = sums.get(name, 0) + int(sample.value)
    return sums
