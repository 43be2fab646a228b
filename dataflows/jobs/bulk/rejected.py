"""The file of a job's refused rows: JSON Lines with the place and reason of each."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from operators.catalog.feeds.read import RejectedRow

FILE = "rejected.jsonl"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A refused row of a shard."""

    shard: int
    number: int
    """From 0."""
    file: str
    row: RejectedRow


def store_rejected(folder: Path, known: int, rejected: Sequence[Rejected]) -> int:
    """Append ``rejected`` durably after the first ``known`` bytes; the file's new length.

    What follows those bytes was written by a start that was killed before its checkpoint.
    """
    with (folder / FILE).open("ab") as file:
        file.truncate(known)
        for one in rejected:
            entry = {
                "file": one.file,
                "line": one.row.line,
                "reason": one.row.reason,
                "message": one.row.message,
                "row": one.row.row,
            }
            file.write(json.dumps(entry, default=str).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
        return os.fstat(file.fileno()).st_size
