"""The engine's recovery store of one flow: a folder with one SQLite partition and an id.

The engine (0.21.1) writes the snapshots of an epoch, and then its frontier. It neither uses nor
removes the snapshots that a crash in between leaves behind. Once the next execution has passed that
epoch, they count as its own, and after a second crash items are lost or duplicated
(docs/decisions/015). So this module removes them before each start.
"""

from __future__ import annotations

import sqlite3
import tempfile
import uuid
from contextlib import closing
from pathlib import Path

from bytewax.recovery import init_db_dir

from operators.durable_files import replace_durably, sync_folder, write_durably

ROOM_BYTES = 1 << 18
"""Of a new store and the first epochs; checked at the start."""

PARTITIONS = 1
"""Fixed when the store is created. Committing an epoch takes 15 ms with 1 and 65 ms with 64."""


def open_store(folder: Path) -> str:
    """Create the store in ``folder`` unless it exists; its id, which is new for each new store.

    Call it before the engine opens the store, in the only process that uses it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _require_room(folder)
    if not any(folder.glob("part-*.sqlite3")):
        # Created elsewhere and moved in: a kill in the middle leaves no incomplete store.
        with tempfile.TemporaryDirectory(dir=folder.parent) as draft:
            init_db_dir(Path(draft), PARTITIONS)  # type: ignore[no-untyped-call]
            for file in Path(draft).iterdir():
                file.rename(folder / file.name)
        sync_folder(folder)
    for file in folder.glob("part-*.sqlite3"):
        _delete_unfinished_epochs(file)
    name = folder / "store-id"
    if not name.exists():
        replace_durably(name, uuid.uuid4().hex.encode())
    return name.read_text()


def _require_room(folder: Path) -> None:
    """Raise OSError when nothing can be written there: the engine would panic."""
    trial = folder / "trial"
    try:
        write_durably(trial, bytes(ROOM_BYTES))
    finally:
        trial.unlink(missing_ok=True)


class RecoveryStore:
    """The store in ``folder``, opened for the only process that uses it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._id = open_store(folder)

    @property
    def id(self) -> str:
        return self._id

    @property
    def used(self) -> bool:
        """Whether it holds anything to resume from."""
        for file in self.folder.glob("part-*.sqlite3"):
            with closing(sqlite3.connect(file)) as store:
                if store.execute("SELECT EXISTS (SELECT 1 FROM snaps)").fetchone() == (1,):
                    return True
        return False

    def renew(self) -> None:
        """Replace it by an empty store with a new id, because others have resumed from its end.

        Call it before the engine opens the store.
        """
        (self.folder / "store-id").unlink()
        for file in self.folder.glob("part-*.sqlite3*"):
            file.unlink()
        self._id = open_store(self.folder)


def _delete_unfinished_epochs(file: Path) -> None:
    """Delete the snapshots of the epoch that the last execution did not finish.

    The engine resumes at the frontier that all workers of the last execution have reached, or,
    before their first frontier, at the epoch that it started from.
    """
    with closing(sqlite3.connect(file)) as store, store:
        (resume_epoch,) = store.execute(
            """
            SELECT MIN(COALESCE(worker_frontier, resume_epoch))
            FROM exs LEFT JOIN fronts USING (ex_num)
            WHERE ex_num = (SELECT MAX(ex_num) FROM exs)
            """
        ).fetchone()
        if resume_epoch is not None:
            store.execute("DELETE FROM snaps WHERE snap_epoch >= ?", (resume_epoch,))
