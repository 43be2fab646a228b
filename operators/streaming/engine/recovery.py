"""The engine's recovery store of one flow: a folder with one SQLite partition and an identity.

The engine (0.21.1) writes the snapshots of an epoch first and then, as its end, the frontier. What
a crash in between leaves behind it neither uses at the next start nor removes: as soon as that
execution has passed the epoch, the leftovers of the dead one count as its snapshots, and after a
second crash items are lost or doubled (docs/decisions/015). So they are removed here.
"""

from __future__ import annotations

import sqlite3
import tempfile
import uuid
from contextlib import closing
from pathlib import Path

from bytewax.recovery import init_db_dir

from operators.durable_files import replace_durably, sync_folder

PARTITIONS = 1
"""Fixed when the store is made. An epoch's commit takes 15 ms with 1 and 65 ms with 64."""


def open_store(folder: Path) -> str:
    """Make the store in ``folder`` unless it is there; its id, new with each new store.

    To be called before the engine opens the store, by the only process that uses it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.glob("part-*.sqlite3")):
        # Made aside and moved in: a kill in the middle leaves no half store.
        with tempfile.TemporaryDirectory(dir=folder.parent) as draft:
            init_db_dir(Path(draft), PARTITIONS)  # type: ignore[no-untyped-call]
            for part in Path(draft).iterdir():
                part.rename(folder / part.name)
        sync_folder(folder)
    for part in folder.glob("part-*.sqlite3"):
        _forget_unfinished_epochs(part)
    name = folder / "store-id"
    if not name.exists():
        replace_durably(name, uuid.uuid4().hex.encode())
    return name.read_text()


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
        """Whether it holds anything to go on from."""
        for part in self.folder.glob("part-*.sqlite3"):
            with closing(sqlite3.connect(part)) as store:
                if store.execute("SELECT EXISTS (SELECT 1 FROM snaps)").fetchone() == (1,):
                    return True
        return False

    def renew(self) -> None:
        """Begin a new store, with a new id, because others have gone on from this one's end.

        To be called before the engine opens it.
        """
        (self.folder / "store-id").unlink()
        for file in self.folder.glob("part-*.sqlite3*"):
            file.unlink()
        self._id = open_store(self.folder)


def _forget_unfinished_epochs(part: Path) -> None:
    """Remove the snapshots that the last execution wrote of an epoch that did not end.

    The engine resumes at the frontier that the last execution's workers have all reached, or,
    before their first, at the epoch that it started from.
    """
    with closing(sqlite3.connect(part)) as store, store:
        (resume_epoch,) = store.execute(
            """
            SELECT MIN(COALESCE(worker_frontier, resume_epoch))
            FROM exs LEFT JOIN fronts USING (ex_num)
            WHERE ex_num = (SELECT MAX(ex_num) FROM exs)
            """
        ).fetchone()
        if resume_epoch is not None:
            store.execute("DELETE FROM snaps WHERE snap_epoch >= ?", (resume_epoch,))
