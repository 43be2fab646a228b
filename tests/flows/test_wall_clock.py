"""The wall clock is set back by an hour while a flow runs: it goes on, and hears the signal."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flows.flow_process import topic
from tests.flows.in_process import events, look

SHIFT = Path(__file__).with_name("clockshift.c")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler"),
    pytest.mark.timeout(120),
]


@pytest.mark.parametrize("seconds", [-3600, -5, 3600])
def test_a_shifted_clock_stops_nothing(tmp_path: Path, seconds: int) -> None:
    library, shift = tmp_path / "clockshift.so", tmp_path / "shift"
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-o", library, SHIFT, "-ldl"], check=True, capture_output=True
    )
    shift.write_text("0")
    generated = topic(tmp_path, "looks.generated")
    generated.append(look(f"look-{n}") for n in range(10))
    command = [sys.executable, "-m", "bytewax.run", "tests.flows.engine_flow:get_flow()"]
    process = subprocess.Popen(
        [*command, "-r", str(tmp_path / "recovery/looks"), "-s", "1", "-b", "0"],
        env={
            **os.environ,
            "LD_PRELOAD": str(library),
            "CLOCKSHIFT": str(shift),
            "LOOKSYNC_TEST_BASE": str(tmp_path),
        },
    )
    try:
        wait_until(lambda: len(events(tmp_path)) == 10, process)
        shift.write_text(str(seconds))
        time.sleep(0.1)  # the engine has seen the shifted clock
        generated.append(look(f"look-{n}") for n in range(10, 20))
        wait_until(lambda: len(events(tmp_path)) == 20, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        process.wait()


def wait_until(reached: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """The test's time-out ends it when it is never reached."""
    while not reached():
        assert process.poll() is None, "the flow has ended"
        time.sleep(0.02)
