"""Ports that a server keeps over its restarts, noted in its folder."""

from __future__ import annotations

import json
from pathlib import Path

from services.processes import free_port


def kept_ports(folder: Path, names: tuple[str, ...]) -> dict[str, int]:
    """A port per name, the next one free as well when first asked for; the same ever after."""
    note = folder / "ports.json"
    if note.exists():
        noted: dict[str, int] = json.loads(note.read_bytes())
        return noted
    ports: dict[str, int] = {}
    while len({taken for port in ports.values() for taken in (port, port + 1)}) < 2 * len(names):
        ports = {name: free_port(width=2) for name in names}
    folder.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps(ports))
    return ports
