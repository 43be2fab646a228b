"""One server on this machine: its command, its readiness check, and its process."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from schemas.errors import Unavailable
from services.processes import Child, start

GRACE_SECONDS = 20.0
"""Between SIGTERM and SIGKILL."""

LOG_LINES = 15


@dataclass(slots=True, eq=False)
class LocalServer:
    """A server on 127.0.0.1; its data and its log stay in ``folder``.

    A context: starts, waits until it is ready, stops. A restart finds the data again.
    """

    name: str
    command: Sequence[str]
    folder: Path
    address: str
    """As given to clients."""
    ready: Callable[[], bool]
    """Whether it serves now; an exception counts as no."""
    ready_seconds: float
    env: Mapping[str, str] = field(default_factory=dict)
    child: Child | None = field(default=None, init=False)
    """The process that was started last."""

    @property
    def log(self) -> Path:
        """Its standard output and error."""
        return self.folder / "log"

    @property
    def pid(self) -> int:
        """Of the process that was started last."""
        if self.child is None:
            raise ValueError(f"{self.name} was never started")
        return self.child.process.pid

    def start(self) -> None:
        """Start the server and return when it serves.

        Raises Unavailable, with the end of the log, when it exits or is not ready in time.
        """
        self.child = start(self.name, self.command, self.log, self.env, cwd=self.folder)
        end = time.monotonic() + self.ready_seconds
        while not self.is_ready():
            if self.child.exit_code is not None or time.monotonic() > end:
                tail = self.child.log_tail(LOG_LINES)
                self.stop()
                raise Unavailable(
                    f"{self.name} did not start; {self.log} ends with:\n{tail}", reason=self.name
                )
            time.sleep(0.2)

    def is_ready(self) -> bool:
        """Whether it serves now."""
        try:
            return self.ready()
        except Exception:
            return False

    def stop(self) -> None:
        """Send SIGTERM, wait, and send SIGKILL if that takes too long; works when paused, too."""
        if self.child is not None and self.child.exit_code is None:
            self.resume()
            self.child.stop(GRACE_SECONDS)

    def kill(self) -> None:
        """Send SIGKILL: what a crash of the machine does to it."""
        if self.child is not None:
            self.child.kill()

    def pause(self) -> None:
        """Send SIGSTOP: connections stay open, but nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Send SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def __enter__(self) -> LocalServer:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


def answers(url: str) -> Callable[[], bool]:
    """A readiness check: an HTTP GET of ``url`` succeeds."""
    return lambda: httpx.get(url, timeout=2).is_success
