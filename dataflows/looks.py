"""The look flow: generated looks in, exactly one event with their matches out.

    looks.generated -> parse -> claim the look_id -> match -> looks.matched
                          \\-> looks.generated.dlq

A look that cannot be matched ends with an event that says so; dead letters are only records that
are no looks, and looks that met a bug. Started by ``looksync run looks``, or the engine's own
way::

    python -m bytewax.run "dataflows.looks:get_flow()" -r var/recovery/looks -s 1 -b 0
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from bytewax.dataflow import Dataflow
from structlog.contextvars import bound_contextvars

from dataflows.execution import execute, for_engine
from dataflows.runtime import FlowRuntime
from dataflows.steps import handle_records, parse, write_dead_letters, write_records
from dataflows.wiring.topics import open_topic
from operators.budget import Budget
from operators.matching.match import match_look
from operators.ports import Claims
from operators.streaming.dead_letters import origin
from operators.streaming.engine.keyed_calls import CallPolicy, Done, Failed
from schemas.errors import (
    DeadlineExceeded,
    InvalidRecord,
    LookSyncError,
    PictureUnavailable,
    Rejected,
)
from schemas.ids import matched_event_id
from schemas.looks import Look, LookMatches
from schemas.records import Record
from schemas.settings import Settings, load_settings

NAME = "looks"
BACKSTOP_SECONDS = 1.0
"""Beyond its budget, which matching keeps by itself, a look is cut off after this."""


def build(
    settings: Settings,
    match: Callable[[Look, Budget], Awaitable[LookMatches]],
    claims: Claims,
    runtime: FlowRuntime,
) -> Dataflow:
    """The flow; ``match`` is given each look and its time budget."""
    flow = Dataflow(NAME)
    topics, policy = settings.topics, settings.stream.looks
    looks, matched = open_topic(topics, topics.looks), open_topic(topics, topics.matches)
    metrics = runtime.metrics

    async def handle(record: Record) -> LookMatches | None:
        """The look's event; None when another record brought the same look before."""
        look = parse(Look, record)
        if look.look_id != record.key:
            raise InvalidRecord(f"the record's key is {record.key!r}, not {look.look_id!r}")
        with bound_contextvars(look_id=look.look_id):
            owner = origin(record)
            first = await claims.claim(
                f"look/{look.look_id}", owner, settings.matching.claim_seconds
            )
            if first != owner:
                metrics.repeated_looks.inc()
                return None
            return await match(look, Budget.of(policy.deadline_seconds))

    def event(outcome: Done[Record, LookMatches | None] | Failed[Record]) -> Record | None:
        if isinstance(outcome, Done):
            matches = outcome.value
        elif (error := _refusal(outcome)) is not None:
            matches = _refused(parse(Look, outcome.item), error)
        else:
            return None
        if matches is None:
            return None
        for stage, milliseconds in matches.timings_ms.items():
            metrics.stage_latency.labels(NAME, stage).observe(milliseconds / 1000)
        for degradation in matches.degraded:
            metrics.degradations.labels(degradation).inc()
        if matches.refused is not None:
            metrics.refused_looks.labels(matches.refused).inc()
        return Record(outcome.item.key, matches.model_dump_json().encode())

    outcomes = handle_records(
        flow,
        looks,
        handle,
        CallPolicy(policy.window, policy.deadline_seconds + BACKSTOP_SECONDS, policy.attempts),
        runtime,
    )
    write_records("matches", outcomes, event, matched, runtime)
    write_dead_letters(outcomes, lambda failed: _refusal(failed) is None, looks, topics, runtime)
    return flow


def _refusal(failed: Failed[Record]) -> LookSyncError | None:
    """The error that a look's event tells; None when the record is a dead letter instead."""
    match failed.error:
        case InvalidRecord():
            return None
        case Rejected() | PictureUnavailable() | DeadlineExceeded() as error:
            return error
        case _:
            return None


def _refused(look: Look, error: LookSyncError) -> LookMatches:
    return LookMatches(
        event_id=matched_event_id(look.look_id),
        look_id=look.look_id,
        user_id=look.user_id,
        market=look.market,
        refused=error.reason,
        refused_because=str(error),
        matched_at=datetime.now(UTC),
    )


@contextmanager
def open_flow(settings: Settings, runtime: FlowRuntime) -> Iterator[Dataflow]:
    """The flow on the parts that the settings name."""
    # Not at the top: the parts bring torch, which a flow on other parts has no need to load.
    from dataflows.wiring.parts import open_look_parts

    with runtime.lane.thread.hold(open_look_parts(settings, runtime.metrics)) as parts:

        async def match(look: Look, budget: Budget) -> LookMatches:
            return await match_look(look, parts.match, budget)

        yield build(settings, match, parts.claims, runtime)


def run_looks(settings: Settings, *, once: bool) -> int:
    """Run the flow until it has drained; the process's exit code."""
    return execute(NAME, settings.stream.looks, settings, open_flow, once=once)


def get_flow() -> Dataflow:
    """The flow for ``python -m bytewax.run``."""
    settings = load_settings()
    return for_engine(NAME, settings.stream.looks, settings, open_flow)
