"""A record that crashes each process that handles it: the flow passes it after seven deaths."""

from __future__ import annotations

import json
import multiprocessing
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from operators.streaming.dead_letters import read_letters
from operators.streaming.engine.call_policy import DEATHS, TRIALS
from schemas.records import Record
from tests.flows import flow_process
from tests.flows.flow_process import Interruption, topic

RECORDS = 60
CRASHING = 22
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["dataflows.catalog", "dataflows.looks"])

pytestmark = pytest.mark.slow


def run_until_it_ends(run: Callable[[Path, Interruption | None], None], base: Path) -> int:
    """Start the flow again as long as it crashes; how often it did."""
    for crashes in range(20):
        process = PROCESSES.Process(target=run, args=(base, None))
        process.start()
        process.join()
        if process.exitcode == 0:
            return crashes
        assert process.exitcode == -signal.SIGSEGV
    raise AssertionError("it crashes for ever")


def keys(base: Path, name: str) -> list[str]:
    read = topic(base, name)
    return sorted(record.key for p in range(read.partitions) for record in read.read(p))


def test_a_packet_that_crashes_the_process_becomes_a_letter(tmp_path: Path) -> None:
    packets = [
        {
            "vendor": "acme",
            "product_id": str(number),
            "kind": "upsert",
            "version": 1,
            "payload": {"crash": number == CRASHING},
        }
        for number in range(RECORDS)
    ]
    topic(tmp_path, "catalog.updates").append(
        Record(f"acme:{packet['product_id']}", json.dumps(packet).encode()) for packet in packets
    )
    assert run_until_it_ends(flow_process.run_catalog, tmp_path) == DEATHS + TRIALS
    others = sorted(f"acme:{number}" for number in range(RECORDS) if number != CRASHING)
    assert keys(tmp_path, "catalog.changes") == others
    (stored,) = read_letters(topic(tmp_path, "catalog.updates.dlq"))
    letter = stored.letter
    assert (letter.reason, letter.stage, letter.attempts) == (
        "killed-process",
        "process",
        DEATHS + TRIALS,
    )
    assert letter.message.startswith("the process died 7 times in a row, 5 times while it handled")


def test_a_look_that_crashes_the_process_becomes_a_letter(tmp_path: Path) -> None:
    records = []
    for number in range(RECORDS):
        user = "crash" if number == CRASHING else "user"
        look = {"look_id": f"{number}", "image": {"url": "file:///x.png"}, "user_id": user}
        records.append(Record(f"{number}", json.dumps(look).encode()))
    topic(tmp_path, "looks.generated").append(records)
    assert run_until_it_ends(flow_process.run_looks, tmp_path) == DEATHS + TRIALS
    others = sorted(f"{number}" for number in range(RECORDS) if number != CRASHING)
    assert keys(tmp_path, "looks.matched") == others
    assert keys(tmp_path, "looks.generated.dlq") == [f"{CRASHING}"]
