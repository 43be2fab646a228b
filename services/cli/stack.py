"""``looksync up``: the embedded servers and both flows, until Ctrl-C."""

from __future__ import annotations

import signal
from pathlib import Path
from queue import Empty, SimpleQueue

from rich.table import Table

from dataflows.wiring.embedded import embedded_services
from schemas.errors import Misconfigured
from schemas.settings import Settings
from services.cli.console import console, errors
from services.processes import Child, start_looksync

FLOWS = ("catalog", "looks")
LOGS = Path("var/logs")


def run_stack(settings: Settings, config: Path | None) -> int:
    """Run until SIGINT or SIGTERM, or until a flow exits by itself; 0 when all succeeded.

    Raises Misconfigured when a flow exits by itself, after printing the end of its log.
    """
    # Not a threading.Event: a signal handler that sets it deadlocks if it interrupts wait().
    stop = SimpleQueue[int]()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: stop.put(number))
    options = ["--config", str(config)] if config else []
    with embedded_services(settings):
        children: list[Child] = []
        try:
            for flow in FLOWS:
                log = LOGS / f"{flow}.log"
                children.append(start_looksync(flow, [*options, "run", flow], log, {}))
            _print_children(children, settings)
            ended = _first_end(children, stop)
        finally:
            codes = {child.name: child.stop() for child in children}
    if ended is not None:
        errors.print(ended.log_tail(), markup=False, highlight=False)
        raise Misconfigured(f"the {ended.name} flow exited by itself; its log is {ended.log}")
    console.print("stopped: " + ", ".join(f"{name} exit {code}" for name, code in codes.items()))
    return max(codes.values())


def _first_end(children: list[Child], stop: SimpleQueue[int]) -> Child | None:
    """The first child that exits by itself; None when a signal came."""
    while True:
        try:
            stop.get(timeout=0.2)
        except Empty:
            for child in children:
                if child.exit_code is not None:
                    return child
        else:
            return None


def _print_children(children: list[Child], settings: Settings) -> None:
    table = Table("component", "process", "log or folder", title="running; Ctrl-C stops everything")
    for child in children:
        table.add_row(f"{child.name} flow", str(child.process.pid), str(child.log))
    table.add_row("topics", "", str(settings.topics.folder))
    console.print(table)
