"""The durable state of a bulk job: one JSON file, replaced after each batch of published changes.

FOLDER/checkpoint.json   progress of each shard, counts, encoder and index of the job
FOLDER/rejected.jsonl    refused rows with their reasons
FOLDER/report.json       the report of the last run
"""

from __future__ import annotations

import uuid
from collections import Counter
from pathlib import Path
from typing import Self

from pydantic import BaseModel, Field, ValidationError

from dataflows.jobs.bulk.shards import Shard
from operators.durable_files import replace_durably
from schemas.errors import Misconfigured

FILE = "checkpoint.json"


class ShardState(BaseModel):
    """How far a shard is, in rows; a row that holds several variants counts as several."""

    shard: Shard
    position: int = 0
    """Everything before it is done."""
    beyond: list[int] = Field(default_factory=list)
    """Done after the position."""
    ended: bool = False
    problem: str | None = None
    """Why it could not be read to its end."""


class Tally(BaseModel):
    """Outcomes of the finished rows."""

    decisions: Counter[str] = Field(default_factory=Counter)
    pending: Counter[str] = Field(default_factory=Counter)
    """Products whose newest picture could not be fetched, by reason."""
    refused: Counter[str] = Field(default_factory=Counter)
    notes: Counter[str] = Field(default_factory=Counter)
    """``field: reason`` -> rows whose field was cut, emptied or read leniently."""
    skipped: int = 0
    """Rows that the mapping's ``feed.skip`` excludes."""
    embeddings: int = 0

    @property
    def rows(self) -> int:
        return self.decisions.total() + self.refused.total() + self.skipped


class Checkpoint(BaseModel):
    """The state of one job, over all its starts."""

    run: str
    """Identifies the job in positions and in Kafka."""
    vendor: str
    version: int
    """Given to rows that have none; the same at each start: a repeated row changes nothing."""
    encoder: str | None = None
    """Fingerprint."""
    index: str | None = None
    """Generation."""
    shards: list[ShardState]
    tally: Tally = Field(default_factory=Tally)
    rejected_bytes: int = 0
    """Length of the file of rejected rows."""
    seconds: float = 0.0
    """Spent by all starts so far."""
    settled: bool = True
    """Every row that was begun is done: another writer may change the catalog now."""
    finished: bool = False

    @classmethod
    def resume_or_begin(cls, folder: Path, vendor: str, shards: list[Shard], version: int) -> Self:
        """The unfinished job in ``folder``, else a new one.

        Raises Misconfigured when the unfinished job has other files or another vendor.
        """
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / FILE
        if path.exists():
            try:
                found = cls.model_validate_json(path.read_bytes())
            except ValidationError as error:
                raise Misconfigured(
                    f"{path} cannot be read: {error.errors()[0]['msg']}; remove {folder} to begin "
                    "again"
                ) from error
            if not found.finished:
                found._check_same(folder, vendor, shards)
                return found
        return cls(
            run=uuid.uuid4().hex[:16],
            vendor=vendor,
            version=version,
            shards=[ShardState(shard=shard) for shard in shards],
        )

    def _check_same(self, folder: Path, vendor: str, shards: list[Shard]) -> None:
        begun = {state.shard for state in self.shards}
        differing = sorted(shard.path for shard in begun.symmetric_difference(shards))
        if vendor == self.vendor and not differing:
            return
        what = f"it reads {self.vendor}" if vendor != self.vendor else f"{differing[0]} differs"
        raise Misconfigured(
            f"the job in {folder} is not finished, and {what}: run it with the same files and "
            "vendor until it ends, or remove that folder to start over"
        )

    def check_target(self, encoder: str, index: str) -> None:
        """Bind the job to an encoder and an index. Raises Misconfigured when it has others."""
        for name, before, now in (("encoder", self.encoder, encoder), ("index", self.index, index)):
            if before not in (None, now):
                raise Misconfigured(
                    f"the job began with the {name} {before}, and the settings name {now}: run it "
                    "with the former settings until it ends"
                )
        self.encoder, self.index = encoder, index

    def encode(self) -> bytes:
        return self.model_dump_json().encode()

    def save(self, folder: Path) -> None:
        replace_durably(folder / FILE, self.encode())
