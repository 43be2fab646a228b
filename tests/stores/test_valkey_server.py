from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from operators.stores.redis import embedded_server as valkey_server
from operators.stores.redis.embedded_server import ensure_server, stop_left_over
from schemas.errors import Misconfigured

STARTER = """
import sys
from pathlib import Path
from operators.stores.redis.embedded_server import ensure_server
server = ensure_server(Path(sys.argv[1]))
print(server.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path):
    """Whatever a test leaves running there is stopped."""
    path = tmp_path / 'with "quotes" and spaces é'
    yield path
    stop_left_over(path)


def runs(pid: int) -> bool:
    """Alive, and not a dead child that waits to be collected."""
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return shown.stdout.strip()[:1] not in ("", "Z")


def test_the_next_adopts_the_server_and_the_last_to_let_go_stops_it(folder):
    first = ensure_server(folder)
    second = ensure_server(folder)
    assert (second.pid, second.url) == (first.pid, first.url)
    first.stop()  # the one that started it, but not the last
    assert runs(first.pid)
    second.stop()
    assert not runs(first.pid)


def test_it_listens_on_no_port_and_only_this_user_may_connect(folder):
    server = ensure_server(folder)
    with redis.from_url(server.url) as client:
        assert client.config_get("port")["port"] == "0"
        socket = Path(client.config_get("unixsocket")["unixsocket"])
    assert socket.stat().st_mode & 0o077 == 0


def test_what_was_written_is_there_after_stop_and_after_kill(folder):
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


def started(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", STARTER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def test_the_server_outlives_a_killed_process_and_is_adopted_or_stopped_by_the_next(folder):
    starter = started(folder)
    pid = starter.stdout.readline()
    ended(starter)
    assert runs(int(pid))
    assert ensure_server(folder).pid == int(pid)
    assert stop_left_over(folder) is True
    assert not runs(int(pid))
    assert stop_left_over(folder) is False


def test_of_several_processes_that_start_at_once_one_starts_the_server(folder):
    starters = [started(folder) for _ in range(4)]
    try:
        pids = [starter.stdout.readline() for starter in starters]
    finally:
        for starter in starters:
            ended(starter)
    assert len(set(pids)) == 1
    assert runs(int(pids[0]))


def test_of_several_threads_that_start_at_once_one_starts_the_server(folder):
    with ThreadPoolExecutor(6) as threads:
        servers = list(threads.map(lambda _: ensure_server(folder), range(6)))
    assert len({server.pid for server in servers}) == 1
    for server in servers:
        assert runs(server.pid)
        server.stop()
    assert not runs(servers[0].pid)


def test_servers_of_two_folders_do_not_meet(folder, tmp_path):
    first, second = ensure_server(folder), ensure_server(tmp_path / "other")
    try:
        with redis.from_url(first.url) as one, redis.from_url(second.url) as two:
            one.set("a", "1")
            assert two.get("a") is None
        assert first.pid != second.pid
    finally:
        second.stop()


def test_a_process_that_is_not_ours_is_never_stopped(folder):
    folder.mkdir()
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        (folder / "valkey.pid").write_text(f"{stranger.pid}\n")
        assert stop_left_over(folder) is False
        server = ensure_server(folder)  # takes the stale record for what it is
        assert server.pid != stranger.pid
        assert runs(stranger.pid)
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("record", ["", "not a number", "-1", "99999999999"])
def test_a_spoilt_record_is_ignored(folder, record):
    folder.mkdir()
    (folder / "valkey.pid").write_text(record)
    assert stop_left_over(folder) is False
    assert runs(ensure_server(folder).pid)


def test_a_server_that_hangs_is_ended(folder, monkeypatch):
    monkeypatch.setattr(valkey_server, "STOP_SECONDS", 0.2)
    server = ensure_server(folder)
    os.kill(server.pid, signal.SIGSTOP)
    server.stop()
    assert not runs(server.pid)


def test_a_relative_folder_is_the_same_from_anywhere(folder, monkeypatch):
    folder.mkdir()
    monkeypatch.chdir(folder.parent)
    first = ensure_server(Path(folder.name))
    monkeypatch.chdir(folder)
    assert ensure_server(Path()).pid == first.pid


def test_a_long_path_gets_its_socket_elsewhere(tmp_path):
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
    folder, monkeypatch, tmp_path, content, mode, said
):
    binary = tmp_path / "valkey-server"
    binary.write_bytes(content)
    binary.chmod(mode)
    monkeypatch.setattr(valkey_server, "get_binary_path", lambda: binary)
    with pytest.raises(Misconfigured, match=r"redis\.kind") as refused:
        ensure_server(folder)
    assert said in str(refused.value)


def test_no_binary_for_this_machine_is_misconfigured(folder, monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(Misconfigured, match=r"redis\.kind"):
        ensure_server(folder)


def test_a_folder_that_cannot_be_made_is_misconfigured(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Misconfigured, match=r"redis\.folder"):
        ensure_server(tmp_path / "file" / "valkey")


def test_a_server_that_is_still_loading_is_waited_for(folder):
    server = ensure_server(folder)
    with redis.from_url(server.url) as client:
        # A frozen server looks like one that loads: alive, and not answering.
        os.kill(server.pid, signal.SIGSTOP)
        with ThreadPoolExecutor(1) as thread:
            adopted = thread.submit(ensure_server, folder)
            time.sleep(0.2)
            assert not adopted.done()
            os.kill(server.pid, signal.SIGCONT)
            assert adopted.result(20).pid == server.pid
        assert client.ping()
