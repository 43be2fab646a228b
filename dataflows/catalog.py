"""The catalog flow: consumes vendors' packets, updates index and ledger, publishes changes.

    catalog.updates -> parse -> apply -> catalog.changes
                          \\-> catalog.updates.dlq

Start it with ``looksync run catalog`` or the engine's own command::

    python -m bytewax.run "dataflows.catalog:get_flow()" -r var/recovery/catalog -s 1 -b 0
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial

from bytewax.dataflow import Dataflow
from structlog.contextvars import bound_contextvars

from dataflows.execution import execute, for_engine
from dataflows.refreshes import publishing_refreshes
from dataflows.runtime import FlowRuntime
from dataflows.steps import handle_records, parse, write_dead_letters, write_records
from dataflows.wiring.topics import open_topic, refuse_unsafe_topics
from operators.catalog.apply import Applied, apply_packet
from operators.catalog.apply_batch import apply_batch
from operators.streaming.engine.call_policy import CallPolicy
from operators.streaming.engine.outcomes import Done, Failed
from schemas.base import encode, to_json
from schemas.catalog import Decision, Packet
from schemas.errors import InvalidRecord
from schemas.records import Record
from schemas.settings import Settings, load_settings

NAME = "catalog"

ApplyBatch = Callable[[Sequence[tuple[Packet, str]]], Awaitable[list[Applied | None]]]


def build(
    settings: Settings,
    apply: Callable[[Packet, str], Awaitable[Applied]],
    runtime: FlowRuntime,
    apply_batch: ApplyBatch | None = None,
) -> Dataflow:
    """Build the flow.

    ``apply`` gets a packet and its position (topic/partition/offset), ``apply_batch`` many; where
    it returns None, or raises, the packet is passed to ``apply``.
    """
    flow = Dataflow(NAME)
    topics, policy = settings.topics, settings.stream.catalog
    refuse_unsafe_topics(topics, topics.updates, topics.changes)
    updates, changes = open_topic(topics, topics.updates), open_topic(topics, topics.changes)
    metrics = runtime.metrics

    async def handle(record: Record) -> bytes | None:
        """The change event; None when the packet changed nothing."""
        packet = parse_packet(record)
        with bound_contextvars(product=packet.key):
            applied = await apply(packet, str(record.position))
            event = None if applied.change is None else encode(applied.change)
        count([(packet, applied)])
        return event

    async def handle_batch(records: Sequence[Record]) -> list[Done[Record, bytes | None] | None]:
        """As ``handle``; a record that cannot be handled is left to it, errors included."""
        assert apply_batch is not None, "else records are handled one by one"
        outcomes: list[Done[Record, bytes | None] | None] = [None] * len(records)
        packets: dict[int, Packet] = {}
        for number, record in enumerate(records):
            with suppress(InvalidRecord):
                packets[number] = parse_packet(record)
        applied = await apply_batch(
            [(packet, str(records[number].position)) for number, packet in packets.items()]
        )
        handled = []
        for (number, packet), one in zip(packets.items(), applied, strict=True):
            if one is not None:
                # Not read back, a tenth of a packet's time: it is made of what the mapping and the
                # ledger have validated (decision 141).
                event = None if one.change is None else to_json(one.change)
                outcomes[number] = Done(records[number], event)
                handled.append((packet, one))
        count(handled)
        return outcomes

    def count(handled: Sequence[tuple[Packet, Applied]]) -> None:
        kinds = Counter((packet.vendor, applied.decision) for packet, applied in handled)
        for (vendor, decision), number in kinds.items():
            metrics.decisions.labels(decision).inc(number)
            metrics.vendor_packets.labels(vendor, decision).inc(number)
            if decision is Decision.NOT_FASHION:
                metrics.products_not_fashion.labels(vendor).inc(number)
        metrics.embeddings.inc(sum(applied.embeddings for _, applied in handled))
        for packet, applied in handled:
            metrics.observe_age(NAME, packet.sent_at)
            for note in applied.notes:
                metrics.mapping_notes.labels(packet.vendor, note.field, note.reason).inc()
            if applied.picture_pending is not None:
                metrics.pictures_pending.labels(applied.picture_pending).inc()

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
        None if apply_batch is None else handle_batch,
    )
    write_records("changes", outcomes, change, changes, runtime)
    write_dead_letters(outcomes, lambda failed: True, updates, topics, runtime)
    return flow


def parse_packet(record: Record) -> Packet:
    """Raises InvalidRecord."""
    packet = parse(Packet, record)
    if packet.key != record.key:
        # Order is kept per record key, so a product's packets must all have the same one.
        raise InvalidRecord(f"the record's key is {record.key!r}, not {packet.key!r}")
    return packet


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
        yield build(
            settings,
            partial(apply_packet, parts=parts),
            runtime,
            partial(apply_batch, parts=parts),
        )


def run_catalog(settings: Settings, *, once: bool) -> int:
    """Run the flow; the process's exit code (see dataflows.execution)."""
    return execute(NAME, settings.stream.catalog, settings, open_flow, once=once)


def get_flow() -> Dataflow:
    """The flow for ``python -m bytewax.run``."""
    settings = load_settings()
    return for_engine(NAME, settings.stream.catalog, settings, open_flow)
