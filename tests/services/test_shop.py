"""The living shop from end to end: a demo that is made first, then goes on until Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from operators.stores.redis.embedded_server import stop_left_over
from services.processes import free_port
from tests.services.command_line import ENVIRONMENT, HANGS_AFTER_SECONDS, looksync


def test_the_shop_lives_until_ctrl_c(tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{(port := free_port())}"
    size = ("--products", "60", "--looks", "2", "--seed", "3", "--every", "1")
    with subprocess.Popen(
        [sys.executable, "-m", "services.cli", "shop", *size, "--folder", "run"],
        cwd=tmp_path,
        env={
            **os.environ,
            **ENVIRONMENT,
            "LOOKSYNC_API__PORT": str(port),
            "LOOKSYNC_STREAM__CATALOG__METRICS_PORT": "0",
            "LOOKSYNC_STREAM__LOOKS__METRICS_PORT": "0",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as shop:
        try:
            wait_until(
                lambda: matched(address, "look-00000") and matched(address, "look-00003"), shop
            )
        finally:
            shop.send_signal(signal.SIGINT)
            printed, _ = shop.communicate(timeout=HANGS_AFTER_SECONDS)
            stop_left_over(tmp_path / "run" / "valkey")
    assert shop.returncode == 0, printed
    assert f"{address}/" in printed
    assert "market exit 0" in printed
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert str(tmp_path) not in listed.stdout

    judged = looksync("eval", "--folder", "run", cwd=tmp_path)
    assert judged.returncode == 2
    assert "has gone on since its demo" in judged.stderr


def test_a_folder_without_a_world_is_named(tmp_path: Path) -> None:
    ended = looksync("sandbox", "live", "nothing", cwd=tmp_path)
    assert ended.returncode == 2
    assert "nothing holds no drawn world" in ended.stderr


def matched(address: str, look: str) -> bool:
    """Whether the API has the look's match."""
    try:
        return httpx.get(f"{address}/v1/looks/{look}/matches", timeout=10).is_success
    except httpx.HTTPError:
        return False


def wait_until(holds: Callable[[], bool], shop: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + HANGS_AFTER_SECONDS
    while not holds():
        assert shop.poll() is None, "it ended by itself"
        assert time.monotonic() < deadline, f"not within {HANGS_AFTER_SECONDS} s"
        time.sleep(0.5)
