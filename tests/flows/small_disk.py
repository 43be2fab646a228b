"""A flow on a disk of its own that becomes full: ``unshare --mount python -m tests.flows.small_disk
FOLDER recovery|topics``. Prints the flow's output, and its exit code last."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from dataflows.execution import execute
from operators.logs import configure
from schemas.records import Record
from tests.flows.flow_process import flow_settings, open_catalog, topic
from tests.flows.in_process import packet

DISK = "size=2m"


def run_flow(base: Path) -> int:
    """The catalog flow on quick doubles, until something ends it."""
    configure("json")
    settings = flow_settings(base)
    return execute("catalog", settings.stream.catalog, settings, open_catalog(base), once=False)


def packets(first: int, end: int) -> list[Record]:
    return [Record(f"acme:p{n}", packet(f"p{n}", payload={})) for n in range(first, end)]


def fill(folder: Path) -> None:
    """Leave no byte free on the disk of ``folder``."""
    with (folder / "fill").open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


def main(base: Path, what: str) -> int:
    disk = base / {"recovery": "recovery", "topics": "topics/catalog.changes"}[what]
    disk.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", DISK, "tmpfs", disk], check=True)
    updates, changes = topic(base, "catalog.updates"), topic(base, "catalog.changes")
    updates.append(packets(0, 10))
    flow = subprocess.Popen([sys.executable, "-m", "tests.flows.small_disk", str(base), "flow"])
    try:
        while sum(1 for p in range(2) for _ in changes.read(p)) < 10:
            if flow.poll() is not None:
                return flow.returncode
        fill(disk)
        updates.append(packets(10, 400))
        return flow.wait()
    finally:
        flow.kill()
        flow.wait()


if __name__ == "__main__":
    folder, command = Path(sys.argv[1]), sys.argv[2]
    if command == "flow":
        sys.exit(run_flow(folder))
    print("exit code", main(folder, command))
