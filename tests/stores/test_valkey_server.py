from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from operators.stores.redis import embedded_server
from operators.stores.redis.embedded_server import ensure_server, stop_left_over
from schemas.errors import Misconfigured, Unavailable

STARTER = """
import sys
from pathlib import Path
from operators.stores.redis.embedded_server import ensure_server
server = ensure_server(Path(sys.argv[1]))
print(server.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder whose server is stopped after the test."""
    path = tmp_path / 'with "quotes" and spaces é'
    yield path
    stop_left_over(path)


def runs(pid: int) -> bool:
    """Whether the process is alive and not a zombie."""
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return shown.stdout.strip()[:1] not in ("", "Z")


def test_a_running_server_is_shared_and_stopped_by_its_last_user(folder: Path) -> None:
    first = ensure_server(folder)
    second = ensure_server(folder)
    assert (second.pid, second.url) == (first.pid, first.url)
    first.stop()  # it started the server but is not its last user
    assert runs(first.pid)
    second.stop()
    assert not runs(first.pid)


def test_the_server_has_no_port_and_a_private_socket(folder: Path) -> None:
    server = ensure_server(folder)
    with redis.from_url(server.url) as client:
        assert client.config_get("port")["port"] == "0"
        socket = Path(client.config_get("unixsocket")["unixsocket"])
    assert socket.stat().st_mode & 0o077 == 0


def test_data_survives_stop_and_kill(folder: Path) -> None:
    server = ensure_server(folder)
    with redis.from_url(server.url) as client:
        client.set("a", "1")
    server.stop()
    server = ensure_server(folder)
    with redis.from_url(server.url) as client:
        assert client.get("a") == b"1"
        client.set("b", "2")
    os.kill(server.pid, signal.SIGKILL)
    while runs(server.pid):
        time.sleep(0.01)
    server = ensure_server(folder)
    with redis.from_url(server.url) as client:
        assert (client.get("a"), client.get("b")) == (b"1", b"2")


def start_process(folder: Path) -> subprocess.Popen[str]:
    """A process that uses the server of ``folder`` until it is killed; prints the server's pid."""
    return subprocess.Popen(
        [sys.executable, "-c", STARTER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def read_pid(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_a_server_outlives_a_killed_process_and_can_be_adopted_or_stopped(
    folder: Path,
) -> None:
    starter = start_process(folder)
    pid = read_pid(starter)
    kill(starter)
    assert runs(pid)
    assert ensure_server(folder).pid == pid
    assert stop_left_over(folder) is True
    assert not runs(pid)
    assert stop_left_over(folder) is False


def test_concurrent_processes_start_one_server(folder: Path) -> None:
    starters = [start_process(folder) for _ in range(4)]
    try:
        pids = [read_pid(starter) for starter in starters]
    finally:
        for starter in starters:
            kill(starter)
    assert len(set(pids)) == 1
    assert runs(pids[0])


def test_concurrent_threads_start_one_server(folder: Path) -> None:
    with ThreadPoolExecutor(6) as threads:
        servers = list(threads.map(lambda _: ensure_server(folder), range(6)))
    assert len({server.pid for server in servers}) == 1
    for server in servers:
        assert runs(server.pid)
        server.stop()
    assert not runs(servers[0].pid)


def test_each_folder_has_its_own_server(folder: Path, tmp_path: Path) -> None:
    first, second = ensure_server(folder), ensure_server(tmp_path / "other")
    try:
        with redis.from_url(first.url) as one, redis.from_url(second.url) as two:
            one.set("a", "1")
            assert two.get("a") is None
        assert first.pid != second.pid
    finally:
        second.stop()


def test_a_foreign_process_is_never_stopped(folder: Path) -> None:
    folder.mkdir()
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        (folder / "valkey.pid").write_text(f"{stranger.pid}\n")
        assert stop_left_over(folder) is False
        server = ensure_server(folder)  # ignores the stale pid file
        assert server.pid != stranger.pid
        assert runs(stranger.pid)
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("content", ["", "not a number", "-1", "99999999999"])
def test_a_corrupt_pid_file_is_ignored(folder: Path, content: str) -> None:
    folder.mkdir()
    (folder / "valkey.pid").write_text(content)
    assert stop_left_over(folder) is False
    assert runs(ensure_server(folder).pid)


def test_a_server_that_hangs_is_killed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_server, "STOP_SECONDS", 0.2)
    server = ensure_server(folder)
    os.kill(server.pid, signal.SIGSTOP)
    server.stop()
    assert not runs(server.pid)


def test_a_relative_folder_is_the_same_from_anywhere(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir()
    monkeypatch.chdir(folder.parent)
    first = ensure_server(Path(folder.name))
    monkeypatch.chdir(folder)
    assert ensure_server(Path()).pid == first.pid


def test_a_long_path_has_its_socket_in_the_temporary_folder(tmp_path: Path) -> None:
    folder = tmp_path / ("long-" * 30)
    server = ensure_server(folder)
    try:
        with redis.from_url(server.url) as client:
            assert client.ping()
        assert ensure_server(folder).pid == server.pid
    finally:
        stop_left_over(folder)


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (b"#!/bin/sh\necho no such library >&2; exit 127\n", 0o755, "no such library"),
        (b"", 0o644, "Permission denied"),
        (b"\x7fELF of another machine", 0o755, "Exec format error"),
    ],
)
def test_a_binary_that_cannot_run_is_misconfigured(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    content: bytes,
    mode: int,
    said: str,
) -> None:
    binary = tmp_path / "valkey-server"
    binary.write_bytes(content)
    binary.chmod(mode)
    monkeypatch.setattr(embedded_server, "get_binary_path", lambda: binary)
    with pytest.raises(Misconfigured, match=r"redis\.kind") as refused:
        ensure_server(folder)
    assert said in str(refused.value)


def test_no_binary_for_this_machine_is_misconfigured(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(Misconfigured, match=r"redis\.kind"):
        ensure_server(folder)


def test_a_folder_that_cannot_be_created_is_misconfigured(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Misconfigured, match=r"redis\.folder"):
        ensure_server(tmp_path / "file" / "valkey")


def test_a_server_that_is_still_loading_is_adopted(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ensure_server(folder)
    # A stopped server looks like one that loads its data: alive, but it does not answer.
    os.kill(server.pid, signal.SIGSTOP)

    def resume(seconds: float) -> None:
        os.kill(server.pid, signal.SIGCONT)

    monkeypatch.setattr(time, "sleep", resume)  # called between two attempts
    assert ensure_server(folder).pid == server.pid


def test_a_server_that_never_answers_is_unavailable(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ensure_server(folder)
    monkeypatch.setattr(embedded_server, "START_SECONDS", 0.0)
    os.kill(server.pid, signal.SIGSTOP)
    try:
        with pytest.raises(Unavailable, match="has not answered"):
            ensure_server(folder)
    finally:
        os.kill(server.pid, signal.SIGCONT)
