"""Run by the engine's own command, a flow drains on a signal and exits with 0."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dataflows.runtime import READ_AHEAD
from tests.flows.flow_process import flow_settings, topic
from tests.flows.in_process import events, look

HOLD_AFTER = 20


@pytest.mark.slow
def test_the_engines_command_drains_on_a_signal(tmp_path: Path) -> None:
    generated = topic(tmp_path, "looks.generated")
    generated.append(look(f"look-{n}") for n in range(100))

    hold = {"LOOKSYNC_TEST_HOLD_AFTER": str(HOLD_AFTER)}
    assert run_until(tmp_path, HOLD_AFTER, signal.SIGTERM, hold) == 0
    first = events(tmp_path)
    window = flow_settings(tmp_path).stream.looks.window
    assert HOLD_AFTER + window <= len(first), "calls in flight end"
    assert len(first) <= HOLD_AFTER + READ_AHEAD * window < 100, "no other record is read"

    assert run_until(tmp_path, 100, signal.SIGINT, {}) == 0
    assert first.items() <= events(tmp_path).items(), "what was drained is not done again"


def run_until(base: Path, written: int, number: signal.Signals, environment: dict[str, str]) -> int:
    """Run the flow with ``python -m bytewax.run``, send the signal once so many events are
    written; the exit code."""
    command = [sys.executable, "-m", "bytewax.run", "tests.flows.engine_flow:get_flow()"]
    options = ["-r", str(base / "recovery/looks"), "-s", "1", "-b", "0"]
    environment = {**os.environ, **environment, "LOOKSYNC_TEST_BASE": str(base)}
    process = subprocess.Popen([*command, *options], env=environment)
    try:
        while len(events(base)) < written:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        return process.wait()
    finally:
        process.kill()
