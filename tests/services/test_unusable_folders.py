"""Folders and files that cannot be used: what to change is said without a traceback, exit code 2.

Permissions do not stop the root user, so the disks are small or read-only ones of their own, in a
mount namespace.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CAN_MOUNT = (
    subprocess.run(
        ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
        capture_output=True,
        check=False,
    ).returncode
    == 0
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
mounts = pytest.mark.skipif(not CAN_MOUNT, reason="no right to mount")

READ_ONLY = (
    "mount -t tmpfs -o size=4m tmpfs {disk} && mkdir {disk}/cwd && mount -o remount,ro {disk}"
)
FULL = (
    "mount -t tmpfs -o size=64k tmpfs {disk} && mkdir {disk}/cwd && "
    "{{ dd if=/dev/zero of={disk}/fill bs=4k 2>/dev/null || true; }}"
)


def looksync(
    folder: Path, arguments: str, *, before: str = "true", **settings: str
) -> subprocess.CompletedProcess[str]:
    """The command, run in ``folder`` after the shell command ``before``."""
    command = f"{before} && cd {folder} && exec {sys.executable} -m services.cli {arguments}"
    own = {name: value for name, value in os.environ.items() if not name.startswith("LOOKSYNC")}
    shell = ["unshare", "--mount", "sh", "-c"] if before != "true" else ["sh", "-c"]
    return subprocess.run(
        [*shell, command],
        env={**own, "PYTHONPATH": str(ROOT), **{f"LOOKSYNC_{k}": v for k, v in settings.items()}},
        capture_output=True,
        text=True,
        check=False,
    )


def explained(done: subprocess.CompletedProcess[str], *words: str) -> None:
    output = done.stdout + done.stderr
    assert done.returncode == 2, output
    assert "Traceback" not in output
    assert "Error" not in output
    for word in words:
        assert word in output


@mounts
@pytest.mark.parametrize(
    ("arguments", "make", "why"),
    [
        ("run looks --once", READ_ONLY, "read-only"),
        ("dlq list", READ_ONLY, "read-only"),
        ("schema export", READ_ONLY, "read-only"),
        ("topics create", FULL, "the disk is full"),
    ],
    ids=["flow", "dlq", "schema", "topics"],
)
def test_a_working_directory_where_nothing_can_be_written(
    tmp_path: Path, arguments: str, make: str, why: str
) -> None:
    explained(looksync(tmp_path / "cwd", arguments, before=make.format(disk=tmp_path)), why)


@mounts
@pytest.mark.parametrize(
    ("setting", "make"),
    [
        ("TOPICS__FOLDER", FULL),
        ("STREAM__RECOVERY_FOLDER", FULL),
        ("REDIS__FOLDER", READ_ONLY),
        ("INDEX__PATH", FULL),
        ("THUMBNAILS__URL", READ_ONLY),
    ],
    ids=["topics", "recovery", "redis", "index", "thumbnails"],
)
def test_each_folder_of_a_flow(tmp_path: Path, setting: str, make: str) -> None:
    disk, work = tmp_path / "disk", tmp_path / "work"
    disk.mkdir()
    work.mkdir()
    done = looksync(
        work, "run catalog --once", before=make.format(disk=disk), **{setting: str(disk / "own")}
    )
    explained(done, str(disk))


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")
    for arguments in ("topics create", "topics check", "run looks --once"):
        explained(looksync(tmp_path, arguments), "var", "not a folder")


def test_a_file_in_the_recovery_folders_place(tmp_path: Path) -> None:
    (tmp_path / "recovery").write_text("")
    done = looksync(
        tmp_path, "run catalog --once", STREAM__RECOVERY_FOLDER=str(tmp_path / "recovery")
    )
    explained(done, "recovery", "not a folder")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "does not exist"),
        (b"preset", "not valid TOML"),
        (b"preset = " + b"[" * 100_000, "nested too deeply"),
        (b"preset = '\xff'", "not UTF-8"),
        (b"preset = 'none'", "choose one of"),
    ],
)
def test_settings_that_cannot_be_read(tmp_path: Path, content: bytes | None, why: str) -> None:
    if content is not None:
        (tmp_path / "mine.toml").write_bytes(content)
    done = looksync(tmp_path, "--config mine.toml topics check")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert why in done.stderr


def test_a_folder_as_settings_file(tmp_path: Path) -> None:
    explained(looksync(tmp_path, "--config . topics check"), "Is a directory")


@mounts
@pytest.mark.parametrize("what", ["recovery", "topics"])
def test_a_disk_that_becomes_full_while_a_flow_runs(tmp_path: Path, what: str) -> None:
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, "-m", "tests.flows.small_disk", tmp_path, what],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[-1] == "exit code 2", done.stdout + done.stderr
    assert "the disk is full" in done.stdout + done.stderr
