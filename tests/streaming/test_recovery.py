"""The recovery store: created once, without what a crash left half written."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig
from bytewax.run import cli_main
from bytewax.testing import TestingSink, TestingSource

from operators.streaming.engine.recovery import open_store

PLANTED = ("other.step", "key", b"\x80\x04N.")


def run_once(store: Path) -> None:
    """An execution of a flow with one stateful step."""
    flow = Dataflow("flow")
    stream = op.input("in", flow, TestingSource([("a", 1), ("a", 2)]))
    sums = op.stateful_map("sum", stream, lambda sum_, n: ((sum_ or 0) + n, n))
    op.output("out", sums, TestingSink([]))
    recovery = RecoveryConfig(store)  # type: ignore[no-untyped-call]
    cli_main(flow, recovery_config=recovery)  # type: ignore[no-untyped-call]


def rows(store: Path, query: str) -> list[tuple[Any, ...]]:
    (part,) = store.glob("part-*.sqlite3")
    with closing(sqlite3.connect(part)) as connection, connection:
        return connection.execute(query).fetchall()


def plant(store: Path, epoch: int) -> None:
    (part,) = store.glob("part-*.sqlite3")
    with closing(sqlite3.connect(part)) as connection, connection:
        connection.execute(
            "INSERT INTO snaps (step_id, state_key, snap_epoch, ser_change) VALUES (?, ?, ?, ?)",
            (PLANTED[0], PLANTED[1], epoch, PLANTED[2]),
        )


def test_a_store_keeps_its_id(tmp_path: Path) -> None:
    first = open_store(tmp_path / "store")
    assert open_store(tmp_path / "store") == first
    assert open_store(tmp_path / "another") != first


def test_snapshots_of_an_epoch_that_did_not_end_are_removed(tmp_path: Path) -> None:
    store = tmp_path / "store"
    open_store(store)
    run_once(store)
    ((frontier,),) = rows(store, "SELECT worker_frontier FROM fronts")
    kept = rows(store, "SELECT * FROM snaps ORDER BY step_id")
    assert kept
    plant(store, frontier)

    open_store(store)

    assert rows(store, "SELECT * FROM snaps ORDER BY step_id") == kept


def test_they_are_removed_as_well_when_not_even_one_epoch_had_ended(tmp_path: Path) -> None:
    store = tmp_path / "store"
    open_store(store)
    rows(store, "INSERT INTO exs (ex_num, worker_count, resume_epoch) VALUES (0, 1, 1)")
    plant(store, 1)

    open_store(store)

    assert rows(store, "SELECT * FROM snaps") == []


@pytest.mark.parametrize("executions", [1, 2])
def test_what_finished_epochs_left_stays(tmp_path: Path, executions: int) -> None:
    store = tmp_path / "store"
    for _ in range(executions):
        open_store(store)
        run_once(store)
    before = rows(store, "SELECT * FROM snaps ORDER BY step_id, snap_epoch")
    open_store(store)
    assert rows(store, "SELECT * FROM snaps ORDER BY step_id, snap_epoch") == before
