"""The catalog flow: vendors' packets in, vector store and ledger kept up, changes out.

    catalog.updates -> parse -> apply -> catalog.changes
                          \\-> catalog.updates.dlq

Started by ``looksync run catalog``, or the engine's own way::

    python -m bytewax.run "dataflows.catalog:get_flow()" -r var/recovery/catalog -s 1 -b 0
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial

from bytewax.dataflow import Dataflow
from structlog.contextvars import bound_contextvars

from dataflows.execution import execute, for_engine
from dataflows.runtime import FlowRuntime
from dataflows.steps import handle_records, parse, write_dead_letters, write_records
from dataflows.wiring.topics import open_topic
from operators.catalog.apply import Applied, apply_packet
from operators.streaming.engine.keyed_calls import CallPolicy, Done, Failed
from schemas.catalog import Packet
from schemas.errors import InvalidRecord
from schemas.records import Record
from schemas.settings import Settings, load_settings

NAME = "catalog"


def build(
    settings: Settings,
    apply: Callable[[Packet, str], Awaitable[Applied]],
    runtime: FlowRuntime,
) -> Dataflow:
    """The flow; ``apply`` is given each packet and its position (topic/partition/offset)."""
    flow = Dataflow(NAME)
    topics, policy = settings.topics, settings.stream.catalog
    updates, changes = open_topic(topics, topics.updates), open_topic(topics, topics.changes)
    metrics = runtime.metrics

    async def handle(record: Record) -> Applied:
        packet = parse(Packet, record)
        if packet.key != record.key:
            # Order holds per record key: under another key the packet could overtake its product.
            raise InvalidRecord(f"the record's key is {record.key!r}, not {packet.key!r}")
        with bound_contextvars(product=packet.key):
            applied = await apply(packet, str(record.position))
        metrics.decisions.labels(applied.decision).inc()
        metrics.embeddings.inc(applied.embeddings)
        return applied

    def change(outcome: Done[Record, Applied] | Failed[Record]) -> Record | None:
        if isinstance(outcome, Failed) or outcome.value.change is None:
            return None
        return Record(outcome.item.key, outcome.value.change.model_dump_json().encode())

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
    """The flow on the parts that the settings name."""
    # Not at the top: the parts bring torch, which a flow on other parts has no need to load.

    from dataflows.wiring.parts import open_catalog_parts

    opened = open_catalog_parts(
        settings, runtime.metrics, identity_file=runtime.store.folder / "ledger-identity"
    )
    with runtime.lane.thread.hold(opened) as parts:
        yield build(settings, partial(apply_packet, parts=parts), runtime)


def run_catalog(settings: Settings, *, once: bool) -> int:
    """Run the flow until it has drained; the process's exit code."""
    return execute(NAME, settings.stream.catalog, settings, open_flow, once=once)


def get_flow() -> Dataflow:
    """The flow for ``python -m bytewax.run``."""
    settings = load_settings()
    return for_engine(NAME, settings.stream.catalog, settings, open_flow)
