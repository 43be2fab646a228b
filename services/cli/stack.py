"""``looksync up``: the embedded servers, both flows and the API, until Ctrl-C."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from types import MappingProxyType

from rich.table import Table

from dataflows.wiring.embedded import embedded_services
from schemas.errors import Misconfigured
from schemas.settings import Settings
from services.cli.console import console, errors
from services.cli.serve import listen
from services.processes import Child, start_looksync, stop_signals

PROCESSES = {"catalog": ["run", "catalog"], "looks": ["run", "looks"], "serve": ["serve"]}
NAMES = {"catalog": "catalog flow", "looks": "looks flow", "serve": "shop and API"}
LOGS = Path("var/logs")


def run_stack(
    settings: Settings,
    config: Path | None,
    more: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> int:
    """Run until SIGINT or SIGTERM, or until a process exits by itself; 0 when all succeeded.

    ``more``: further processes, as arguments of ``looksync`` by the name of their log.
    Raises Misconfigured when a process exits by itself, after printing the end of its log.
    """
    # Before anything starts: a second `up` ends here.
    listen(settings.api.address, settings.api.port).close()
    stop = stop_signals()
    options = ["--config", str(config)] if config else []
    with embedded_services(settings):
        children: list[Child] = []
        try:
            for name, command in {**PROCESSES, **more}.items():
                shown, log = NAMES.get(name, name), LOGS / f"{name}.log"
                children.append(start_looksync(shown, [*options, *command], log, {}))
            _print_children(children, settings)
            ended = _first_end(children, stop)
        finally:
            codes = {child.name: child.stop() for child in children}
    if ended is not None:
        errors.print(ended.log_tail(), markup=False, highlight=False)
        raise Misconfigured(f"the {ended.name} exited by itself; its log is {ended.log}")
    ends = ", ".join(f"{name} exit {code}" for name, code in codes.items())
    console.print(f"stopped: {ends}", soft_wrap=True)
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
        table.add_row(child.name, str(child.process.pid), str(child.log))
    table.add_row("topics", "", str(settings.topics.folder))
    home = f"http://{settings.api.address}:{settings.api.port}"
    if settings.api.shows_pages:
        table.add_row("shop", "", f"{home}/")
    table.add_row("API", "", f"{home}/docs")
    console.print(table)
