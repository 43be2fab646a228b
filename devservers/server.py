"""One server of ours: a command, how to know that it is ready, and its life by its process id."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from schemas.errors import Unavailable

GRACE_SECONDS = 20.0
"""Between SIGTERM and SIGKILL."""


@dataclass(slots=True, eq=False)
class LocalServer:
    """A server on 127.0.0.1; its data and its log stay in ``folder``.

    A context: starts, waits until it is ready, stops. Started again, it finds its data again.
    """

    name: str
    command: Sequence[str]
    folder: Path
    address: str
    """As clients are told it, for people."""
    ready: Callable[[], bool]
    """Whether it serves now; any exception of it is a no."""
    ready_seconds: float
    env: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """Where it writes what it has to say."""
        return self.folder / "log"

    @property
    def pid(self) -> int:
        """Of the process that was started last."""
        if self.process is None:
            raise ValueError(f"{self.name} was never started")
        return self.process.pid

    def start(self) -> None:
        """Start, and return when it serves.

        Raises Unavailable, with the end of the log, when it ends or is not ready in time.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.env},
                cwd=self.folder,
                start_new_session=True,
            )
        end = time.monotonic() + self.ready_seconds
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > end:
                tail = self._log_tail()
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
        """SIGTERM, wait, SIGKILL if that takes too long; also a server that is paused."""
        if self.process is None or self.process.poll() is not None:
            return
        self.resume()
        self.process.terminate()
        try:
            self.process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL: what a crash of the machine does to it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def pause(self) -> None:
        """SIGSTOP: connections stay open, and nobody answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def __enter__(self) -> LocalServer:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _log_tail(self) -> str:
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])


def answers(url: str) -> Callable[[], bool]:
    """Whether an HTTP GET of ``url`` succeeds."""
    return lambda: httpx.get(url, timeout=2).is_success
