"""The catalog flow: consumes vendors' packets, updates index and ledger, publishes changes.

    catalog.updates -> parse -> apply -> catalog.changes
                          \\-> catalog.updates.dlq

Start it with ``looksync run catalog`` or the engine's own command::

    python -m bytewax.run "dataflows.catalog:get_flow()" -r var/recovery/catalog -s 1 -b 0
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from bytewax.dataflow import Dataflow
from structlog.contextvars import bound_contextvars

from dataflows.execution import execute, for_engine
from dataflows.refreshes import publishing_refreshes
from dataflows.runtime import FlowRuntime
from dataflows.steps import handle_records, parse, write_dead_letters, write_records
from dataflows.wiring.topics import open_topic, refuse_unsafe_topics
from operators.catalog.apply import Applied, apply_packet
from operators.streaming.engine.call_policy import CallPolicy
from operators.streaming.engine.outcomes import Done, Failed
from schemas.base import encode
from schemas.catalog import Decision, Packet
from schemas.errors import InvalidRecord
from schemas.records import Record
from schemas.settings import Settings, load_settings

NAME = "catalog"


def build(
    settings: Settings,
    apply: Callable[[Packet, str], Awaitable[Applied]],
    runtime: FlowRuntime,
) -> Dataflow:
    """Build the flow. ``apply`` gets each packet and its position (topic/partition/offset)."""
    flow = Dataflow(NAME)
    topics, policy = settings.topics, settings.stream.catalog
    refuse_unsafe_topics(topics, topics.updates, topics.changes)
    updates, changes = open_topic(topics, topics.updates), open_topic(topics, topics.changes)
    metrics = runtime.metrics

    async def handle(record: Record) -> bytes | None:
        """The change event; None when the packet changed nothing."""
        packet = parse(Packet, record)
        if packet.key != record.key:
            # Order is kept per record key, so a product's packets must all have the same one.
            raise InvalidRecord(f"the record's key is {record.key!r}, not {packet.key!r}")
        with bound_contextvars(product=packet.key):
            applied = await apply(packet, str(record.position))
            event = None if applied.change is None else encode(applied.change)
        metrics.decisions.labels(applied.decision).inc()
        metrics.vendor_packets.labels(packet.vendor, applied.decision).inc()
        metrics.observe_age(NAME, packet.sent_at)
        metrics.embeddings.inc(applied.embeddings)
        for note in applied.notes:
            metrics.mapping_notes.labels(packet.vendor, note.field, note.reason).inc()
        if applied.decision is Decision.NOT_FASHION:
            metrics.products_not_fashion.labels(packet.vendor).inc()
        if applied.picture_pending is not None:
            metrics.pictures_pending.labels(applied.picture_pending).inc()
        return event

    def change(outcome: Done[Record, bytes | None] | Failed[Record]) -> Record | None:
        if isinstance(outcome, Failed) or outcome.value is None:
            return None
        return Record(outcome.item.key, outcome.value)

    outcomes = handle_records(
        flow,
        updates,
        handle,
        CallPolicy(policy.window, policy.deadline_seconds, policy.attempts),
        runtime,
    )
    write_records("changes", outcomes, change, changes, runtime)
    write_dead_letters(outcomes, lambda failed: True, updates, topics, runtime)
    return flow


@contextmanager
def open_flow(settings: Settings, runtime: FlowRuntime) -> Iterator[Dataflow]:
    """Build the flow on the clients that the settings name, and close them at the end."""
    # Not at the top: this loads torch, which tests with other clients do not need.
    from dataflows.wiring.parts import open_catalog_parts

    opened = open_catalog_parts(
        settings,
        runtime.metrics,
        identity_file=runtime.folder / "ledger-identity",
        gate=runtime.lane.gate,
    )
    with ExitStack() as stack:
        parts = stack.enter_context(runtime.lane.thread.hold(opened))
        if not runtime.once:
            updates = open_topic(settings.topics, settings.topics.updates)
            refreshes = publishing_refreshes(parts.schedule, updates.append)
            stack.enter_context(runtime.lane.thread.hold(refreshes))
        yield build(settings, partial(apply_packet, parts=parts), runtime)


def run_catalog(settings: Settings, *, once: bool) -> int:
    """Run the flow; the process's exit code (see dataflows.execution)."""
    return execute(NAME, settings.stream.catalog, settings, open_flow, once=once)


def get_flow() -> Dataflow:
    """The flow for ``python -m bytewax.run``."""
    settings = load_settings()
    return for_engine(NAME, settings.stream.catalog, settings, open_flow)
