"""Child processes with a log file, stopped by their process id; signals to this process."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

GRACE_SECONDS = 30.0
"""Between SIGTERM and SIGKILL: a flow finishes its records in flight before it exits."""


@dataclass(frozen=True, slots=True, eq=False)
class Child:
    """A process that this one started."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self.process.poll()

    def stop(self, grace_seconds: float = GRACE_SECONDS) -> int:
        """Send SIGTERM, wait, and send SIGKILL if that takes too long; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                return self.process.wait(grace_seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()

    def kill(self) -> None:
        """Send SIGKILL and wait for the end: what a crash does to the process."""
        self.process.kill()
        self.process.wait()

    def log_tail(self, lines: int = 20) -> str:
        """The last lines of its log."""
        return "\n".join(
            self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
        )


def start(
    name: str,
    command: Sequence[str],
    log: Path,
    env: Mapping[str, str],
    cwd: Path | None = None,
) -> Child:
    """Start ``command`` with its output appended to ``log`` and ``env`` added to the environment.

    The child gets a session of its own: Ctrl-C reaches the parent only, which then stops its
    children in order.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **env},
            cwd=cwd,
            start_new_session=True,
        )
    return Child(name, process, log)


def start_looksync(name: str, arguments: Sequence[str], log: Path, env: Mapping[str, str]) -> Child:
    """Start ``looksync ARGUMENTS``."""
    return start(name, [sys.executable, "-m", "services.cli", *arguments], log, env)


def stop_signals() -> SimpleQueue[int]:
    """SIGINT and SIGTERM from now on, as they come, instead of what they do by default.

    Not a threading.Event: a signal handler that sets it deadlocks if it interrupts wait().
    """
    stop = SimpleQueue[int]()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: stop.put(number))
    return stop


def free_port(width: int = 1) -> int:
    """The first of ``width`` consecutive ports of 127.0.0.1 that are free now.

    Below the range of ephemeral ports (Linux: from 32,768), so that no outgoing connection takes
    the port before the server listens on it.
    """
    while True:
        first = random.randrange(15_000, 32_000)
        if all(map(_is_free, range(first, first + width))):
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
