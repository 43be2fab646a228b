"""`python -m devservers setup|up|down`: the real servers, for `make services` and its kin.

What runs is noted in var/services/NAME/running.json: process id and when that process began, so
that an id which another process has come by is never signalled.
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
from services.cli.console import console, reported


def setup(part: DevServer) -> str:
    """Fetch or build what the server is made of."""
    return f"provisioned: {os.path.relpath(part.provision(HOME))}"


def up(part: DevServer) -> str:
    """Start the server, unless it runs."""
    made, note = part.provision(HOME), _note(part)
    server = part.server(made, HOME / part.name / "run")
    if (pid := _running(note)) is not None:
        if server.is_ready():
            return f"runs already, process {pid}, at {server.address}"
        raise Unavailable(f"process {pid} runs and does not answer: `make services-down` first")
    if server.is_ready():
        raise Unavailable(f"somebody else's server listens at {server.address}: stop it first")
    server.start()
    note.write_text(json.dumps({"pid": server.pid, "began": _began(server.pid)}))
    return f"process {server.pid}, at {server.address}, log {os.path.relpath(server.log)}"


def down(part: DevServer) -> str:
    """Stop the server that ``up`` started."""
    note = _note(part)
    pid = _running(note)
    if pid is None:
        return "does not run"
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + GRACE_SECONDS
    while _running(note) is not None:
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
    note.unlink()
    return f"stopped, process {pid}"


def _note(part: DevServer) -> Path:
    return HOME / part.name / "running.json"


def _running(note: Path) -> int | None:
    """The noted process, if it is still the same one."""
    if not note.exists():
        return None
    noted = json.loads(note.read_bytes())
    pid = int(noted["pid"])
    return pid if _began(pid) == noted["began"] else None


def _began(pid: int) -> str | None:
    """When process ``pid`` began, as ps says it; None when there is none, or only its remains."""
    asked = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    state, _, began = (
        subprocess.run(asked, capture_output=True, text=True).stdout.strip().partition(" ")
    )
    return began.strip() if began and not state.startswith("Z") else None


ACTIONS: dict[str, Callable[[DevServer], str]] = {"setup": setup, "up": up, "down": down}


def main(action: str) -> int:
    """Do ``action`` with every server; 1 when one of them cannot be had."""
    table = Table("server", "state", "where, or why not", highlight=False)
    every = True
    for part in DEV_SERVERS:
        try:
            table.add_row(part.name, "[green]ok[/]", ACTIONS[action](part))
        except LookSyncError as error:
            every = False
            table.add_row(part.name, "[red]not here[/]", str(error))
    console.print(table)
    return 0 if every else 1


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in ACTIONS:
        sys.exit(f"usage: python -m devservers {'|'.join(ACTIONS)}")
    with reported():
        sys.exit(main(sys.argv[1]))
