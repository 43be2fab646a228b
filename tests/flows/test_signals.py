"""Started the engine's own way, as a process: a signal drains it, and it exits with 0."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from flow_process import topic
from test_flows import events, look

HERE = Path(__file__).parent


@pytest.mark.slow
def test_the_engines_command_drains_on_a_signal(tmp_path: Path) -> None:
    generated = topic(tmp_path, "looks.generated")
    generated.append(look(f"look-{n}") for n in range(100))

    assert run_until(tmp_path, lambda: len(events(tmp_path)) >= 10, signal.SIGTERM) == 0
    first = events(tmp_path)
    assert len(first) < 100, "in the middle of its work"

    assert run_until(tmp_path, lambda: len(events(tmp_path)) == 100, signal.SIGINT) == 0
    assert first.items() <= events(tmp_path).items(), "what was drained is not done again"


def run_until(base: Path, reached: Callable[[], bool], number: signal.Signals) -> int:
    """Run the flow by ``python -m bytewax.run``, send the signal then; the exit code."""
    command = [sys.executable, "-m", "bytewax.run", f"{HERE / 'engine_flow.py'}:get_flow()"]
    options = ["-r", str(base / "recovery/looks"), "-s", "1", "-b", "0"]
    environment = {**os.environ, "LOOKSYNC_TEST_BASE": str(base)}
    process = subprocess.Popen([*command, *options], env=environment)
    try:
        until = time.monotonic() + 30
        while not reached():
            assert time.monotonic() < until
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        return process.wait(30)
    finally:
        process.kill()
