"""Child processes of ours: started with a log file, stopped by their id."""

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

GRACE_SECONDS = 30.0
"""A flow drains what is in flight before it ends; only then is it killed."""


@dataclass(frozen=True, slots=True, eq=False)
class Child:
    """One running command of the command line itself."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self.process.poll()

    def stop(self) -> int:
        """SIGTERM, wait for the drain, SIGKILL if that takes too long; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                return self.process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()

    def log_tail(self, lines: int = 20) -> str:
        """The last lines it wrote."""
        return "\n".join(
            self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
        )


def start(name: str, arguments: Sequence[str], log: Path, env: Mapping[str, str]) -> Child:
    """``looksync ARGUMENTS`` as a child process in a group of its own.

    A group of its own: Ctrl-C reaches the parent only, which then stops its children in order.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.cli", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **env},
            start_new_session=True,
        )
    return Child(name, process, log)


def free_port(width: int = 1) -> int:
    """The first of ``width`` neighbouring ports of 127.0.0.1 where nobody listens now.

    Below the ports that systems give to outgoing connections (Linux: from 32,768), so that none of
    those takes it before somebody listens there.
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
