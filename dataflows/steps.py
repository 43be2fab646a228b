"""Steps that all flows share: process records in a lane, write results and dead letters."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import bytewax.operators as op
import structlog
from bytewax.dataflow import Dataflow
from bytewax.operators import KeyedStream
from pydantic import ValidationError

from dataflows.runtime import FlowRuntime
from dataflows.wiring.topics import (
    FlowTopic,
    cancel_given_up,
    open_topic,
    outputs_of,
    read_from,
    with_provenance_headers,
    write_to,
)
from operators.streaming.dead_letters import dead_letter
from operators.streaming.engine.batches import BatchedCalls, HandleBatch
from operators.streaming.engine.call_policy import CallPolicy
from operators.streaming.engine.keyed_calls import KeyedCalls
from operators.streaming.engine.lane import lane
from operators.streaming.engine.outcomes import Done, Failed
from operators.streaming.health.watched_topics import WatchedSink, WatchedSource
from schemas.base import Event
from schemas.dead_letters import DeadLetter
from schemas.errors import InvalidRecord, list_problems
from schemas.records import MalformedRecord, Record
from schemas.settings import TopicSettings

log = structlog.get_logger()

Parsed = TypeVar("Parsed", bound=Event)
Value = TypeVar("Value")


def parse(schema: type[Parsed], record: Record) -> Parsed:
    """Parse the event in ``record``. Raises InvalidRecord."""
    if isinstance(record, MalformedRecord):
        raise InvalidRecord(record.problem, reason="malformed")
    try:
        return schema.model_validate_json(record.value)
    except ValidationError as error:
        raise InvalidRecord(list_problems(error), reason="invalid") from error
    except OverflowError as error:  # a time out of range in UTC
        raise InvalidRecord(str(error), reason="invalid") from error


def handle_records(
    flow: Dataflow,
    source: FlowTopic,
    handle: Callable[[Record], Awaitable[Value]],
    policy: CallPolicy,
    runtime: FlowRuntime,
    handle_batch: HandleBatch[Record, Value] | None = None,
) -> KeyedStream[Done[Record, Value] | Failed[Record]]:
    """Call ``handle`` on each record of ``source``; records of one key are handled in order.

    ``handle_batch``: is called first, on what waits; see BatchedCalls.
    """
    latency = runtime.metrics.stage_latency.labels(runtime.name, "record")

    async def handle_timed(record: Record) -> Value:
        started = time.perf_counter()
        try:
            return await handle(record)
        finally:
            latency.observe(time.perf_counter() - started)

    async def handle_batch_timed(records: Sequence[Record]) -> Sequence[Done[Record, Value] | None]:
        assert handle_batch is not None, "else the records are called alone"
        started = time.perf_counter()
        outcomes = await handle_batch(records)
        seconds = time.perf_counter() - started
        for outcome in outcomes:
            if outcome is not None:
                latency.observe(seconds)
        return outcomes

    watched = WatchedSource(read_from(source, runtime), source.name, runtime.health)
    records = op.input("records", flow, watched)
    alone = KeyedCalls(
        handle_timed,
        lambda record: record.key,
        policy,
        runtime.lane.thread.loop,
        runtime.members[-1].inputs if runtime.members else runtime.journal,
    )
    calls = alone if handle_batch is None else BatchedCalls(handle_batch_timed, alone)
    cancel_given_up(calls, runtime)
    runtime.metrics.waiting.labels(runtime.name).set_function(lambda: calls.paused)
    runtime.metrics.oldest_call.labels(runtime.name).set_function(lambda: calls.oldest_seconds)
    runtime.health.watch_waits(lambda: calls.waits)
    return lane("lane", records, calls, runtime.lane)


def write_records(
    step_id: str,
    outcomes: KeyedStream[Done[Record, Value] | Failed[Record]],
    to_record: Callable[[Done[Record, Value] | Failed[Record]], Record | None],
    target: FlowTopic,
    runtime: FlowRuntime,
) -> None:
    """Write ``to_record`` of each outcome to ``target``; None is skipped."""
    records_out = runtime.metrics.records_out.labels(target.name)
    passed_on = outputs_of(target, runtime)

    def to_keyed_outputs(
        batch: list[tuple[str, Done[Record, Value] | Failed[Record]]],
    ) -> list[tuple[str, Any]]:
        outputs = []
        for _, outcome in batch:
            record = to_record(outcome)
            if record is not None:
                record = with_provenance_headers(outcome.item, record, target)
            if (output := passed_on(outcome.item, record)) is not None:
                outputs.append(output)
        records_out.inc(len(outputs))
        return outputs

    stream = op.flat_map_batch(step_id, outcomes, to_keyed_outputs)
    sink = WatchedSink(write_to(target, runtime), target.name, runtime.health)
    op.output(f"{step_id}-topic", stream, sink)


def write_dead_letters(
    outcomes: KeyedStream[Done[Record, Value] | Failed[Record]],
    is_dead: Callable[[Failed[Record]], bool],
    source: FlowTopic,
    topics: TopicSettings,
    runtime: FlowRuntime,
) -> None:
    """Write the failed records that ``is_dead`` selects to the dead-letter topic of ``source``."""

    def to_letter(outcome: Done[Record, Value] | Failed[Record]) -> Record | None:
        if isinstance(outcome, Done) or not is_dead(outcome):
            return None
        record, failed = dead_letter(outcome), outcome.item
        letter = DeadLetter.from_record(record)
        runtime.metrics.records_dead.labels(source.name, letter.reason).inc()
        log.warning(
            "dead letter",
            key=failed.key,
            position=str(failed.position),
            stage=letter.stage,
            reason=letter.reason,
            message=letter.message,
            exc_info=outcome.error if letter.stage == "unexpected" else None,
        )
        return record

    target = open_topic(topics, topics.dead_letters(source.name))
    write_records("dead-letters", outcomes, to_letter, target, runtime)
