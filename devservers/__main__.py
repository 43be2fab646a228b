"""`python -m devservers setup|up|down`: the real servers, for `make services*`.

var/services/NAME/running.json records process id and start time of a running server, so that no
other process that got the same id later is ever signalled.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.table import Table

from devservers.registry import DEV_SERVERS, HOME, DevServer
from devservers.server import GRACE_SECONDS
from schemas.errors import LookSyncError, Unavailable
from services.cli.console import console, report_errors


def setup(entry: DevServer) -> str:
    """Download or build the server."""
    return f"provisioned: {os.path.relpath(entry.provision(HOME))}"


def up(entry: DevServer) -> str:
    """Start the server unless it is running."""
    provisioned, record = entry.provision(HOME), _record(entry)
    server = entry.server(provisioned, HOME / entry.name / "run")
    if (pid := _running_pid(record)) is not None:
        if server.is_ready():
            return f"already running, process {pid}, at {server.address}"
        raise Unavailable(
            f"process {pid} is running but does not answer: `make services-down` first"
        )
    if server.is_ready():
        raise Unavailable(f"another server listens at {server.address}: stop it first")
    server.start()
    record.write_text(json.dumps({"pid": server.pid, "began": _start_time(server.pid)}))
    return f"process {server.pid}, at {server.address}, log {os.path.relpath(server.log)}"


def down(entry: DevServer) -> str:
    """Stop the server that ``up`` started."""
    record = _record(entry)
    pid = _running_pid(record)
    if pid is None:
        return "not running"
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + GRACE_SECONDS
    while _running_pid(record) is not None:
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
    record.unlink()
    return f"stopped, process {pid}"


def _record(entry: DevServer) -> Path:
    return HOME / entry.name / "running.json"


def _running_pid(record: Path) -> int | None:
    """The recorded process, if it is still running."""
    if not record.exists():
        return None
    recorded = json.loads(record.read_bytes())
    pid = int(recorded["pid"])
    return pid if _start_time(pid) == recorded["began"] else None


def _start_time(pid: int) -> str | None:
    """The start time of process ``pid``, as ps prints it; None for no process or a zombie."""
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    state, _, began = (
        subprocess.run(command, capture_output=True, text=True).stdout.strip().partition(" ")
    )
    return began.strip() if began and not state.startswith("Z") else None


ACTIONS: dict[str, Callable[[DevServer], str]] = {"setup": setup, "up": up, "down": down}


def main(action: str) -> int:
    """Apply ``action`` to every server; 1 when it fails for one of them."""
    table = Table("server", "state", "where, or what is wrong", highlight=False)
    succeeded = True
    for entry in DEV_SERVERS:
        try:
            table.add_row(entry.name, "[green]ok[/]", ACTIONS[action](entry))
        except LookSyncError as error:
            succeeded = False
            table.add_row(entry.name, "[red]failed[/]", str(error))
    console.print(table)
    return 0 if succeeded else 1


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in ACTIONS:
        sys.exit(f"usage: python -m devservers {'|'.join(ACTIONS)}")
    with report_errors():
        sys.exit(main(sys.argv[1]))
