"""A running catalog flow whose health a test reads while its ledger is unavailable."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from bytewax.dataflow import Dataflow

from dataflows import catalog
from dataflows.execution import execute
from dataflows.runtime import FlowRuntime
from operators.catalog.apply import Applied
from schemas.catalog import Decision, Packet
from schemas.errors import Unavailable
from schemas.settings import Settings


def request_path(port: int, path: str) -> tuple[int, str]:
    """Request ``path``; return status and body. Raises URLError when nothing answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class WatchedFlow:
    """A catalog flow on ``settings``; its ledger is unavailable while ``ledger_away`` is set."""

    def __init__(self, settings: Settings) -> None:
        self.ledger_away = threading.Event()
        self.while_starting: list[int] = []
        self._settings = settings
        self._port = settings.stream.catalog.metrics_port
        self._runtime: FlowRuntime | None = None

    def run_while(self, driver: Callable[[], None]) -> int:
        """Run the flow in this thread until ``driver`` returns; return its exit code."""
        with ThreadPoolExecutor() as pool:
            driven = pool.submit(self._drive, driver)
            code = execute(
                "catalog", self._settings.stream.catalog, self._settings, self._open, once=False
            )
            driven.result()
        return code

    def status(self, path: str) -> int:
        return request_path(self._port, path)[0]

    def wait_for_status(self, path: str, status: int, seconds: float = 60) -> dict[str, Any]:
        """Wait until ``path`` answers with ``status``; return the health in the body."""
        until = time.monotonic() + seconds
        while True:
            try:
                found, body = request_path(self._port, path)
            except OSError:
                found, body = 0, "no answer"
            if found == status:
                health: dict[str, Any] = json.loads(body)
                return health
            assert time.monotonic() < until, f"{path} stays {found}: {body}"
            time.sleep(0.01)

    def wait_until_away(self, part: str, seconds: float) -> dict[str, Any]:
        """Wait until the flow reports ``part`` as away; return that entry."""
        until = time.monotonic() + seconds
        while True:
            away = json.loads(request_path(self._port, "/readyz")[1])["away"]
            found: list[dict[str, Any]] = [entry for entry in away if entry["part"] == part]
            if found:
                return found[0]
            assert time.monotonic() < until, f"{part} is not away: {away}"
            time.sleep(0.01)

    def _drive(self, driver: Callable[[], None]) -> None:
        try:
            driver()
        finally:
            while self._runtime is None:
                time.sleep(0.01)
            self._runtime.lane.stop.set()

    @contextmanager
    def _open(self, settings: Settings, runtime: FlowRuntime) -> Iterator[Dataflow]:
        self._runtime = runtime
        self.while_starting = [self.status(path) for path in ("/startupz", "/livez")]

        async def apply(packet: Packet, position: str) -> Applied:
            if self.ledger_away.is_set():
                raise Unavailable("redis: connection refused", reason="redis")
            return Applied(Decision.UNCHANGED, None, 0)

        yield catalog.build(settings, apply, runtime)
