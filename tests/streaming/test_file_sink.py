"""The sink of file topics: the next start repairs whatever a crash leaves."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig
from bytewax.testing import TestingSource, run_main

from operators.streaming.engine.recovery import open_store
from operators.streaming.files.sink import FileTopicSink
from operators.streaming.files.topic import FileTopic
from schemas.errors import Misconfigured
from schemas.records import Record


@pytest.fixture
def topic(tmp_path: Path) -> FileTopic:
    created = FileTopic(tmp_path / "topics", "looks.matched")
    created.create(1)
    return created


def write(topic: FileTopic, value: str) -> None:
    """Write to the file as another process would, without the sink's knowledge."""
    with topic.path(0).open("ab") as file:
        file.write(b'{"key": "k", "value": "%s"}\n' % value.encode())


def values(topic: FileTopic) -> list[str]:
    return [record.value.decode() for record in topic.read(0)]


def record(value: str) -> Record:
    return Record("k", value.encode())


def test_a_resume_cuts_off_what_was_written_after_the_snapshot(topic: FileTopic) -> None:
    sink = FileTopicSink(topic, "store")
    part = sink.build_part("step", "000", None)
    part.write_batch([record("durable")])
    state = part.snapshot()
    part.write_batch([record("unfinished")])
    part.close()

    resumed = sink.build_part("step", "000", state)
    resumed.write_batch([record("anew")])

    assert values(topic) == ["durable", "anew"]
    resumed.close()


def test_two_crashes_before_the_first_snapshot(topic: FileTopic) -> None:
    """No state is recovered, but the files hold what the unfinished first epochs wrote."""
    write(topic, "of an earlier life")
    for unfinished in ("first try", "second try"):
        crashed = FileTopicSink(topic, "store").build_part("step", "000", None)
        crashed.write_batch([record(unfinished)])
        crashed.close()

    part = FileTopicSink(topic, "store").build_part("step", "000", None)
    part.write_batch([record("third try")])

    assert values(topic) == ["of an earlier life", "third try"]
    part.close()


def test_a_new_recovery_store_keeps_what_the_old_one_wrote(topic: FileTopic) -> None:
    """Without recovered state, but with another store: nothing unfinished belongs to this flow, so
    nothing is truncated."""
    old = FileTopicSink(topic, "old store").build_part("step", "000", None)
    old.write_batch([record("old")])
    old.snapshot()
    old.close()

    new = FileTopicSink(topic, "new store").build_part("step", "000", None)
    new.write_batch([record("new")])

    assert values(topic) == ["old", "new"]
    new.close()


def test_a_torn_line_before_the_first_build_is_removed(topic: FileTopic) -> None:
    write(topic, "whole")
    with topic.path(0).open("ab") as file:
        file.write(b'{"key": "torn')

    part = FileTopicSink(topic, "store").build_part("step", "000", None)
    part.write_batch([record("next")])

    assert values(topic) == ["whole", "next"]
    part.close()


def test_only_the_flow_may_append_to_its_topic(topic: FileTopic) -> None:
    FileTopicSink(topic, "store").build_part("step", "000", None).close()

    with pytest.raises(Misconfigured, match="written by a flow"):
        topic.append([record("foreign")])


def test_a_second_flow_on_the_same_topic_is_refused(topic: FileTopic) -> None:
    first = FileTopicSink(topic, "store").build_part("step", "000", None)

    with pytest.raises(Misconfigured, match="another process writes"):
        FileTopicSink(topic, "store").build_part("step", "000", None)
    first.close()


def test_a_topic_shorter_than_its_snapshot_was_replaced(topic: FileTopic) -> None:
    with pytest.raises(Misconfigured, match="was replaced"):
        FileTopicSink(topic, "store").build_part("step", "000", 100)


def test_a_crash_in_the_engines_first_epoch_leaves_no_duplicates(
    topic: FileTopic, tmp_path: Path
) -> None:
    store_id = open_store(tmp_path / "store")
    inputs = ["0", "1", "2", TestingSource.ABORT(), "3"]

    def execute() -> None:
        flow = Dataflow("sink")
        numbers = op.input("in", flow, TestingSource(inputs, batch_size=1))
        keyed = op.map("record", numbers, lambda number: ("k", record(str(number))))
        op.output("out", keyed, FileTopicSink(topic, store_id))
        run_main(  # type: ignore[no-untyped-call]
            flow,
            epoch_interval=timedelta(minutes=1),
            recovery_config=RecoveryConfig(tmp_path / "store"),  # type: ignore[no-untyped-call]
        )

    execute()
    assert values(topic) == ["0", "1", "2"], "written, and not in any snapshot"
    execute()
    assert values(topic) == ["0", "1", "2", "3"]


def test_what_was_appended_between_runs_survives_a_resume(topic: FileTopic) -> None:
    sink = FileTopicSink(topic, "store")
    part = sink.build_part("step", "000", None)
    part.write_batch([record("durable")])
    state = part.snapshot()
    part.write_batch([record("left by the unfinished epoch")])
    with pytest.raises(Misconfigured, match="another process writes"):
        topic.append_between_runs([record("beside the flow")])
    part.close()
    topic.append_between_runs([record("between"), record("runs")])
    kept = [*values(topic)]
    assert kept[-2:] == ["between", "runs"]

    crashed = sink.build_part("step", "000", state)
    crashed.write_batch([record("unfinished again")])
    crashed.close()
    resumed = sink.build_part("step", "000", state)
    assert values(topic) == kept
    resumed.write_batch([record("anew")])
    assert resumed.snapshot() > state
    resumed.close()
