"""A flow's endpoints tell the truth: while it starts, works, waits for a part, and works again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bytewax.dataflow import Dataflow
from flow_probes import free_port, status, told
from test_flows import packet, topic

from dataflows import catalog
from dataflows.execution import execute
from dataflows.runtime import FlowRuntime
from operators.catalog.apply import Applied
from schemas.catalog import Decision, Packet
from schemas.errors import Unavailable
from schemas.records import Record
from schemas.settings import Settings, load_settings


class WatchedFlow:
    """Runs the catalog flow on a ledger that can be taken away."""

    def __init__(self, base: Path) -> None:
        self.port = free_port()
        self.ledger_away = threading.Event()
        self.while_starting: list[int] = []
        self.updates = topic(base, "catalog.updates")
        self._runtime: FlowRuntime | None = None
        self._settings = load_settings(
            topics={"folder": base / "topics", "partitions": 2},
            stream={
                "recovery_folder": base / "recovery",
                "epoch_seconds": 0.1,
                "catalog": {"window": 8, "metrics_port": self.port},
            },
        )

    def run_while(self, driver: Callable[[], None]) -> int:
        """The flow runs until ``driver`` returns; its exit code."""
        with ThreadPoolExecutor() as pool:
            driven = pool.submit(self._drive, driver)
            code = execute(
                "catalog", self._settings.stream.catalog, self._settings, self._open, once=False
            )
            driven.result()
        return code

    def reaches(self, path: str, code: int) -> dict[str, Any]:
        until = time.monotonic() + 30
        while self._status(path) != code:
            assert time.monotonic() < until, f"{path} does not become {code}"
            time.sleep(0.01)
        return told(self.port)

    def _status(self, path: str) -> int | None:
        try:
            return status(self.port, path)
        except OSError:
            return None

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
        self.while_starting = [status(self.port, path) for path in ("/startupz", "/livez")]

        async def apply(packet: Packet, position: str) -> Applied:
            if self.ledger_away.is_set():
                raise Unavailable("redis: connection refused", reason="redis")
            return Applied(Decision.UNCHANGED, None, 0)

        yield catalog.build(settings, apply, runtime)


def test_the_endpoints_tell_the_truth_through_an_outage(tmp_path: Path) -> None:
    flow = WatchedFlow(tmp_path)
    flow.updates.append([Record("acme:1", packet("1"))])

    def outage() -> None:
        flow.reaches("/readyz", 200)
        assert status(flow.port, "/startupz") == 200

        flow.ledger_away.set()
        flow.updates.append([Record(f"acme:{n}", packet(str(n))) for n in range(2, 5)])
        during = flow.reaches("/readyz", 503)

        assert status(flow.port, "/livez") == 200
        assert [part["part"] for part in during["away"]] == ["redis"]
        assert "connection refused" in during["away"][0]["why"]
        assert during["in_flight"] >= during["away"][0]["waiting"] >= 1

        flow.ledger_away.clear()
        after = flow.reaches("/readyz", 200)

        assert after["away"] == []
        assert after["source_age"] < 30
        assert after["epoch_age"] < 30
        assert {lag["topic"] for lag in after["lag"]} == {"catalog.updates"}

    assert flow.run_while(outage) == 0
    assert flow.while_starting == [503, 200]
