"""Asks a flow's endpoints, as Prometheus and a kubelet do."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from typing import Any


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(port: int, path: str) -> tuple[int, str]:
    """Status and body. Raises URLError when nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def status(port: int, path: str) -> int:
    return ask(port, path)[0]


def told(port: int) -> dict[str, Any]:
    """The flow's health in JSON."""
    health: dict[str, Any] = json.loads(ask(port, "/readyz")[1])
    return health
