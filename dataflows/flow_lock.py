"""Who may write in a flow's place: the flow's only process, or a job while the flow is stopped."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from operators.durable_files import replace_durably, sync_folder
from schemas.errors import Misconfigured

_JOB_NOTE = "unfinished-job"


@contextmanager
def lock_flow(
    name: str, recovery_folder: Path, job: Path | None = None, *, shared: bool = False
) -> Iterator[None]:
    """Hold the flow's lock: two processes on one recovery store would corrupt it.

    ``shared``: with other processes of the flow, which keep no state in the folder (Kafka).

    ``job``: the folder of a job that writes in the flow's place. Once it has called
    :func:`begin_job`, the flow cannot start until it has called :func:`end_job`, even if the job is
    killed. Raises Misconfigured when the flow runs, or such a job has not ended.
    """
    recovery_folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(recovery_folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        note = recovery_folder / _JOB_NOTE
        owner = Path(note.read_text()) if note.exists() else None
        if owner is not None and owner != job:
            raise Misconfigured(
                f"the bulk-index job in {owner} was stopped in the middle: run "
                "`looksync jobs bulk-index` again with the same files until it ends"
            )
        yield
    except BlockingIOError:
        raise Misconfigured(
            f"the {name} flow, or a job in its place, is running on {recovery_folder}: stop it "
            "first"
        ) from None
    finally:
        os.close(lock)


@contextmanager
def lock_instance(recovery_folder: Path) -> Iterator[int]:
    """Hold the first number from 0 that no other process of the flow on this host holds.

    A process that is killed and started again gets the number that it had.
    """
    recovery_folder.mkdir(parents=True, exist_ok=True)
    for number in count():
        lock = os.open(recovery_folder / f"instance-{number}.lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        try:
            yield number
        finally:
            os.close(lock)
        return


def begin_job(recovery_folder: Path, job: Path) -> None:
    """Note that the job in the folder ``job`` has begun, under the flow's lock."""
    replace_durably(recovery_folder / _JOB_NOTE, str(job).encode())


def end_job(recovery_folder: Path) -> None:
    """Let the flow start again."""
    (recovery_folder / _JOB_NOTE).unlink(missing_ok=True)
    sync_folder(recovery_folder)
