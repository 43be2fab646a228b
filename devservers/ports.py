"""Ports that a server keeps across restarts, recorded in its folder."""

from __future__ import annotations

import json
from pathlib import Path

from services.processes import free_port


def kept_ports(folder: Path, names: tuple[str, ...]) -> dict[str, int]:
    """A port per name, chosen once so that the next port is free, too, and then always the same."""
    record = folder / "ports.json"
    if record.exists():
        recorded: dict[str, int] = json.loads(record.read_bytes())
        return recorded
    ports: dict[str, int] = {}
    while len({taken for port in ports.values() for taken in (port, port + 1)}) < 2 * len(names):
        ports = {name: free_port(width=2) for name in names}
    folder.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps(ports))
    return ports
