"""The catalog flow's output for each kind of record, and flows that cannot run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from bytewax.dataflow import Dataflow

from dataflows import catalog
from dataflows.execution import MISCONFIGURED, UNAVAILABLE, execute
from dataflows.runtime import FlowRuntime
from operators.catalog.apply import Applied
from operators.catalog.notes import Note
from operators.streaming.files.replay import replay
from schemas.catalog import Packet
from schemas.errors import (
    IndexMismatch,
    Unavailable,
)
from schemas.records import Record
from schemas.settings import Settings
from tests.flows.flow_process import flow_settings, topic
from tests.flows.in_process import (
    RunCatalog,
    letters,
    packet,
    unchanged,
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


def test_notes_about_values_are_counted_by_vendor_field_and_reason(tmp_path: Path) -> None:
    async def cut(packet: Packet, position: str) -> Applied:
        applied = await unchanged(packet, position)
        return replace(applied, notes=(Note("title", "cut"), Note("stock", "negative")))

    updates = [Record(f"acme:{n}", packet(f"{n}")) for n in range(3)]
    topic(tmp_path, "catalog.updates").append(updates)
    run = RunCatalog(tmp_path, cut)

    assert run() == 0

    name = "looksync_mapping_notes_total"
    assert run.metric(name, vendor="acme", field="title", reason="cut") == 3
    assert run.metric(name, vendor="acme", field="stock", reason="negative") == 3


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
