"""What the flows make of each kind of record; in this process, on quick parts."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import flow_process
import pytest
from bytewax.dataflow import Dataflow
from flow_process import NOW, Effects, flow_settings, topic

from dataflows import catalog, looks
from dataflows.execution import MISCONFIGURED, UNAVAILABLE, execute
from dataflows.runtime import FlowRuntime
from operators.budget import Budget
from operators.catalog.apply import Applied
from operators.streaming.dead_letters import StoredLetter, read_letters, replay
from schemas.catalog import Decision, Packet
from schemas.errors import (
    DeadlineExceeded,
    ImageRefused,
    IndexMismatch,
    PictureUnavailable,
    Unavailable,
)
from schemas.ids import matched_event_id
from schemas.looks import Look, LookMatches
from schemas.records import Record
from schemas.settings import Settings


def packet(product_id: str, **fields: object) -> bytes:
    values = {"vendor": "acme", "product_id": product_id, "kind": "upsert", "version": 1}
    return json.dumps(values | fields).encode()


def look(look_id: str) -> Record:
    value = {"look_id": look_id, "user_id": "u1", "image": {"url": "https://example.com/x.png"}}
    return Record(look_id, json.dumps(value).encode())


class RunCatalog:
    """Runs the catalog flow over what is on its topic; keeps the metrics."""

    def __init__(self, base: Path, apply: Callable[[Packet, str], Awaitable[Applied]]) -> None:
        self._settings = flow_settings(base)
        self._apply = apply
        self.runtime: FlowRuntime | None = None

    def __call__(self) -> int:
        flow = self._settings.stream.catalog
        return execute("catalog", flow, self._settings, self._open, once=True)

    @contextmanager
    def _open(self, settings: Settings, runtime: FlowRuntime) -> Iterator[Dataflow]:
        self.runtime = runtime
        yield catalog.build(settings, self._apply, runtime)

    def metric(self, name: str, **labels: str) -> float | None:
        assert self.runtime is not None
        return self.runtime.metrics.registry.get_sample_value(name, labels)


def run_looks(
    base: Path,
    match: Callable[[Look, Budget], Awaitable[LookMatches]],
    runtimes: list[FlowRuntime] | None = None,
) -> int:
    """Runs the look flow over what is on its topic; its runtime is added to ``runtimes``."""

    @contextmanager
    def open_flow(settings: Settings, runtime: FlowRuntime) -> Iterator[Dataflow]:
        if runtimes is not None:
            runtimes.append(runtime)
        yield looks.build(settings, match, Effects(base), runtime)

    settings = flow_settings(base)
    return execute("looks", settings.stream.looks, settings, open_flow, once=True)


def events(base: Path) -> dict[str, LookMatches]:
    matched = topic(base, "looks.matched")
    read = [
        LookMatches.model_validate_json(record.value)
        for partition in range(matched.partitions)
        for record in matched.read(partition)
    ]
    by_look = {event.look_id: event for event in read}
    assert len(by_look) == len(read), "a look has one event"
    return by_look


def letters(base: Path, source: str) -> list[StoredLetter]:
    return list(read_letters(topic(base, f"{source}.dlq")))


async def unchanged(packet: Packet, position: str) -> Applied:
    return Applied(Decision.UNCHANGED, None, 0)


async def matched(look: Look, budget: Budget) -> LookMatches:
    return LookMatches(
        event_id=matched_event_id(look.look_id),
        look_id=look.look_id,
        degraded=("describe:deadline",),
        timings_ms={"describe": 12.0},
        matched_at=NOW,
    )


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (Record("acme:1", b""), "Invalid JSON"),
        (Record("acme:1", b"\xff\xfe"), "Invalid JSON"),
        (Record("acme:1", b"[" * 10_000), "recursion"),
        (Record("acme:1", b'"text"'), "an object"),
        (Record("acme:1", packet("1", vendor="No Vendor")), "vendor"),
        (Record("acme:1", packet("1", kind="replace")), "kind"),
        (Record("acme:1", packet("1", version="soon")), "version"),
        (Record("acme:1", packet("1", version=10**30)), "version"),
        (Record("acme:1", packet("1", version="0001-01-01T00:00:00+20:00")), "range"),
        (Record("acme:1", packet("1", schema_version=2)), "schema_version"),
        (Record("acme:2", packet("1")), "'acme:2', not 'acme:1'"),
        (Record("", packet("1")), "'', not 'acme:1'"),
    ],
)
def test_a_bad_packet_is_a_dead_letter_and_the_next_is_applied(
    tmp_path: Path, record: Record, message: str
) -> None:
    topic(tmp_path, "catalog.updates").append([record, Record("acme:9", packet("9"))])
    run = RunCatalog(tmp_path, unchanged)

    assert run() == 0

    (stored,) = letters(tmp_path, "catalog.updates")
    assert (stored.letter.error_class, stored.letter.stage) == ("InvalidRecord", "parse")
    assert message in stored.letter.message
    assert stored.record.value == record.value
    assert run.metric("looksync_catalog_decisions_total", decision="unchanged") == 1


def test_a_malformed_line_of_the_topic_is_a_dead_letter(tmp_path: Path) -> None:
    updates = topic(tmp_path, "catalog.updates")
    with updates.path(0).open("ab") as file:
        file.write(b"\x00 not ours\n")

    assert RunCatalog(tmp_path, unchanged)() == 0

    (stored,) = letters(tmp_path, "catalog.updates")
    assert stored.letter.reason == "malformed"
    assert stored.record.value == b"\x00 not ours"


def test_records_are_counted(tmp_path: Path) -> None:
    topic(tmp_path, "catalog.updates").append(
        [Record("acme:9", packet("9")), Record("acme:9", b"{")]
    )
    run = RunCatalog(tmp_path, unchanged)
    run()

    partition = str(topic(tmp_path, "catalog.updates").partition_of("acme:9"))
    read = {"topic": "catalog.updates", "partition": partition}
    assert run.metric("looksync_records_in_total", **read) == 2
    assert run.metric("looksync_lag_bytes", **read) == 0
    assert run.metric("looksync_records_out_total", topic="catalog.updates.dlq") == 1
    dead = {"topic": "catalog.updates", "reason": "invalid"}
    assert run.metric("looksync_records_dead_total", **dead) == 1
    assert run.metric("looksync_in_flight", flow="catalog") == 0
    stage = {"flow": "catalog", "stage": "record"}
    assert run.metric("looksync_stage_seconds_count", **stage) == 2


def test_a_packet_that_meets_a_bug_is_replayed_after_the_repair(tmp_path: Path) -> None:
    async def broken(packet: Packet, position: str) -> Applied:
        raise ZeroDivisionError("a bug")

    updates = topic(tmp_path, "catalog.updates")
    updates.append([Record("acme:9", packet("9"))])
    assert RunCatalog(tmp_path, broken)() == 0
    (stored,) = letters(tmp_path, "catalog.updates")
    assert (stored.letter.stage, stored.letter.error_class) == ("unexpected", "ZeroDivisionError")

    replay(topic(tmp_path, "catalog.updates.dlq"), updates)
    repaired = RunCatalog(tmp_path, unchanged)
    assert repaired() == 0

    assert repaired.metric("looksync_catalog_decisions_total", decision="unchanged") == 1
    assert len(letters(tmp_path, "catalog.updates")) == 1


def test_a_flow_that_cannot_run_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def mismatched(packet: Packet, position: str) -> Applied:
        raise IndexMismatch("the index was built by another model: rebuild it")

    topic(tmp_path, "catalog.updates").append([Record("acme:9", packet("9"))])

    assert RunCatalog(tmp_path, mismatched)() == MISCONFIGURED
    captured = capsys.readouterr()
    assert "the index was built by another model" in captured.out + captured.err


def test_a_part_that_is_away_at_the_start_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    @asynccontextmanager
    async def open_parts() -> AsyncIterator[None]:
        raise Unavailable("nothing listens on redis://nowhere")
        yield

    @contextmanager
    def open_flow(settings: Settings, runtime: FlowRuntime) -> Iterator[Dataflow]:
        with runtime.lane.thread.hold(open_parts()):
            yield catalog.build(settings, unchanged, runtime)

    settings = flow_settings(tmp_path)
    code = execute("catalog", settings.stream.catalog, settings, open_flow, once=True)

    assert code == UNAVAILABLE
    captured = capsys.readouterr()
    assert "redis://nowhere" in captured.out + captured.err


def test_the_same_flow_twice_at_once_is_refused(tmp_path: Path) -> None:
    codes = []

    @contextmanager
    def open_flow(settings: Settings, runtime: FlowRuntime) -> Iterator[Dataflow]:
        codes.append(RunCatalog(tmp_path, unchanged)())
        yield catalog.build(settings, unchanged, runtime)

    settings = flow_settings(tmp_path)
    flow = settings.stream.catalog

    assert execute("catalog", flow, settings, open_flow, once=True) == 0
    assert codes == [MISCONFIGURED]


@pytest.mark.parametrize(
    "error",
    [
        ImageRefused("a bomb", reason="too-large"),
        PictureUnavailable("host is down", reason="connection"),
        DeadlineExceeded("late", reason="deadline"),
    ],
)
def test_a_look_that_cannot_be_matched_gets_an_event_that_says_so(
    tmp_path: Path, error: Exception
) -> None:
    async def match(look: Look, budget: Budget) -> LookMatches:
        raise error

    topic(tmp_path, "looks.generated").append([look("look-1")])

    assert run_looks(tmp_path, match) == 0

    event = events(tmp_path)["look-1"]
    assert event.refused == error.reason  # type: ignore[attr-defined]
    assert (event.user_id, event.event_id) == ("u1", matched_event_id("look-1"))
    assert letters(tmp_path, "looks.generated") == []


def test_a_repeated_look_is_dropped(tmp_path: Path) -> None:
    topic(tmp_path, "looks.generated").append([look("a"), look("b"), look("a")])
    runtimes: list[FlowRuntime] = []

    assert run_looks(tmp_path, matched, runtimes) == 0

    assert set(events(tmp_path)) == {"a", "b"}
    value = runtimes[0].metrics.registry.get_sample_value
    assert value("looksync_looks_repeated_total") == 1
    assert value("looksync_look_degradations_total", {"degradation": "describe:deadline"}) == 2
    stage = {"flow": "looks", "stage": "describe"}
    assert value("looksync_stage_seconds_sum", stage) == pytest.approx(2 * 0.012)


def test_a_look_that_met_a_bug_can_be_replayed(tmp_path: Path) -> None:
    """Its claim is held by the first record: the replay goes on in that one's name."""

    async def broken(look: Look, budget: Budget) -> LookMatches:
        raise ZeroDivisionError("a bug")

    generated = topic(tmp_path, "looks.generated")
    generated.append([look("a")])
    assert run_looks(tmp_path, broken) == 0
    assert events(tmp_path) == {}

    replay(topic(tmp_path, "looks.generated.dlq"), generated)
    assert run_looks(tmp_path, matched) == 0

    assert set(events(tmp_path)) == {"a"}


def test_a_record_that_is_no_look_is_a_dead_letter(tmp_path: Path) -> None:
    topic(tmp_path, "looks.generated").append(
        [Record("a", b"{}"), Record("b", look("a").value), look("c")]
    )

    assert run_looks(tmp_path, matched) == 0

    assert set(events(tmp_path)) == {"c"}
    assert {stored.record.key for stored in letters(tmp_path, "looks.generated")} == {"a", "b"}


def test_a_look_is_given_its_budget(tmp_path: Path) -> None:
    budgets = []

    async def match(look: Look, budget: Budget) -> LookMatches:
        budgets.append(budget.remaining())
        return await matched(look, budget)

    topic(tmp_path, "looks.generated").append([look("a")])
    run_looks(tmp_path, match)

    deadline = flow_process.flow_settings(tmp_path).stream.looks.deadline_seconds
    assert deadline - 1 < budgets[0] <= deadline
