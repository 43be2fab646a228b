"""The look flow: consumes generated looks, publishes exactly one event with the matches of each.

    looks.generated -> parse -> claim the look_id -> match -> looks.matched
                          \\-> looks.generated.dlq

A look that cannot be matched gets an event that says so. Dead letters are only invalid records and
looks that hit a bug. Start it with ``looksync run looks`` or the engine's own command::

    python -m bytewax.run "dataflows.looks:get_flow()" -r var/recovery/looks -s 1 -b 0
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from bytewax.dataflow import Dataflow
from structlog.contextvars import bound_contextvars

from dataflows.execution import execute, for_engine
from dataflows.runtime import FlowRuntime
from dataflows.steps import handle_records, parse, write_dead_letters, write_records
from dataflows.wiring.topics import open_topic, refuse_unsafe_topics
from operators.budget import Budget
from operators.matching.look_event import look_event
from operators.matching.match import match_look
from operators.ports import Claims
from operators.streaming.dead_letters import origin
from operators.streaming.engine.call_policy import CallPolicy
from operators.streaming.engine.outcomes import Done, Failed
from schemas.base import encode
from schemas.errors import (
    DeadlineExceeded,
    InvalidRecord,
    LookSyncError,
    Misconfigured,
    Rejected,
    Unavailable,
)
from schemas.looks import Look, LookMatches
from schemas.records import Record
from schemas.settings import Settings, load_settings

log = structlog.get_logger()

NAME = "looks"
BACKSTOP_SECONDS = 1.0
"""Added to the budget, which matching itself respects: then the look is aborted."""


def build(
    settings: Settings,
    match: Callable[[Look, Budget], Awaitable[LookMatches]],
    refuse: Callable[[Look, LookSyncError], LookMatches],
    claims: Claims,
    runtime: FlowRuntime,
) -> Dataflow:
    """Build the flow.

    ``match`` matches a look within its budget; ``refuse`` builds the event of a look that could not
    be matched because of the error.
    """
    flow = Dataflow(NAME)
    topics, policy = settings.topics, settings.stream.looks
    refuse_unsafe_topics(topics, topics.looks, topics.matches)
    looks, matched = open_topic(topics, topics.looks), open_topic(topics, topics.matches)
    metrics = runtime.metrics

    async def handle(record: Record) -> _Written | None:
        """The look's event; None when an earlier record had the same look_id."""
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
            written = _Written.of(await match(look, Budget.of(policy.deadline_seconds)))
        metrics.observe_age(NAME, look.created_at)
        return written

    def refused_event(failed: Failed[Record]) -> _Written | None:
        """None when the record is a dead letter instead: also when the event cannot be made, as
        an exception here, in the engine, would end the flow."""
        error = _refusal(failed)
        if error is None:
            return None
        try:
            return _Written.of(refuse(parse(Look, failed.item), error))
        except Exception as bug:
            log.error("a refused look has no event", key=failed.item.key, exc_info=bug)
            return None

    def event(outcome: Done[Record, _Written | None] | Failed[Record]) -> Record | None:
        written = outcome.value if isinstance(outcome, Done) else refused_event(outcome)
        if written is None:
            return None
        matches = written.matches
        for stage, milliseconds in matches.timings_ms.items():
            metrics.stage_latency.labels(NAME, stage).observe(milliseconds / 1000)
        for degradation in matches.degraded:
            metrics.degradations.labels(degradation).inc()
        if matches.refused is not None:
            metrics.refused_looks.labels(matches.refused).inc()
        return Record(outcome.item.key, written.value)

    outcomes = handle_records(
        flow,
        looks,
        handle,
        CallPolicy(policy.window, policy.deadline_seconds + BACKSTOP_SECONDS, policy.attempts),
        runtime,
    )
    write_records("matches", outcomes, event, matched, runtime)
    write_dead_letters(
        outcomes, lambda failed: refused_event(failed) is None, looks, topics, runtime
    )
    return flow


@dataclass(frozen=True, slots=True)
class _Written:
    """An event, and its bytes."""

    matches: LookMatches
    value: bytes

    @classmethod
    def of(cls, matches: LookMatches) -> _Written:
        return cls(matches, encode(matches))


def _refusal(failed: Failed[Record]) -> LookSyncError | None:
    """The error to report in the look's event; None when the record is a dead letter instead."""
    match failed.error:
        case InvalidRecord():
            return None
        case Rejected() | Unavailable() | Misconfigured() | DeadlineExceeded() as error:
            return error
        case _:
            return None


@contextmanager
def open_flow(settings: Settings, runtime: FlowRuntime) -> Iterator[Dataflow]:
    """Build the flow on the clients that the settings name, and close them at the end."""
    # Not at the top: this loads torch, which tests with other clients do not need.
    from dataflows.wiring.parts import open_look_parts

    opened = open_look_parts(settings, runtime.metrics, gate=runtime.lane.gate)
    with runtime.lane.thread.hold(opened) as parts:

        async def match(look: Look, budget: Budget) -> LookMatches:
            return await match_look(look, parts.match, budget)

        def refuse(look: Look, error: LookSyncError) -> LookMatches:
            return look_event(look, parts.match, refused=error)

        yield build(settings, match, refuse, parts.claims, runtime)


def run_looks(settings: Settings, *, once: bool) -> int:
    """Run the flow; the process's exit code (see dataflows.execution)."""
    return execute(NAME, settings.stream.looks, settings, open_flow, once=once)


def get_flow() -> Dataflow:
    """The flow for ``python -m bytewax.run``."""
    settings = load_settings()
    return for_engine(NAME, settings.stream.looks, settings, open_flow)
