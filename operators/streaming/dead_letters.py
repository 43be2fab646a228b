"""Dead letters: built by the flows, listed and replayed by people.

A letter is known by the position of the record that failed, not by its own: a crash may cut the
end of a dead-letter topic off and write it anew in another order. A replay puts the record back on
its source topic with headers that say of which letter, and what its life was so far; the next
letter counts on from there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from operators.durable_files import end_of_last_line, open_to_append, replace_durably, write_all
from operators.streaming.engine.keyed_calls import Failed
from operators.streaming.files.topic import FileTopic
from schemas.dead_letters import HEADER_PREFIX, DeadLetter
from schemas.errors import DeadlineExceeded, InvalidRecord, PictureUnavailable, Rejected
from schemas.records import SOURCE, Record

REPLAY_OF = "replay-of"
"""Position of the failed record that this record repeats."""
REPLAY_ORIGIN = "replay-origin"
"""Position of the very first record of a chain of replays."""
REPLAY_ATTEMPTS = "replay-attempts"
REPLAY_FIRST_TIME = "replay-first-time"
REPLAYED = "replayed"
"""On a mark, which is no letter itself: the name of a letter that was put back (Kafka)."""


class ReadTopic(Protocol):
    """A topic to read letters from: of files or of Kafka."""

    @property
    def partitions(self) -> int: ...

    def read(self, partition: int, offset: int = 0) -> Iterator[Record]:
        """The records from ``offset`` to the present end."""
        ...


def dead_letter(failed: Failed[Record]) -> Record:
    """The record for the dead-letter topic: the failed one's bytes, and in headers the story."""
    record, now = failed.item, datetime.now(UTC)
    attempts, first = _history(record, now)
    letter = DeadLetter.of(
        record,
        failed.error,
        stage=_stage(failed.error),
        attempts=attempts + failed.attempts,
        first=first,
        last=now,
    )
    return letter.to_record(record)


def origin(record: Record) -> str:
    """The position that ``record`` had when it first came; the same for all its replays."""
    return record.headers.get(REPLAY_ORIGIN, str(record.position))


def _history(record: Record, now: datetime) -> tuple[int, datetime]:
    """Attempts so far and the time of the first, as a replay has noted them; else 0 and now.

    Headers come from outside: nonsense in them is no reason to fail.
    """
    try:
        attempts = int(record.headers[REPLAY_ATTEMPTS])
        first = datetime.fromisoformat(record.headers[REPLAY_FIRST_TIME]).astimezone(UTC)
    except (KeyError, ValueError, OverflowError):
        return 0, now
    return max(0, attempts), first


def _stage(error: BaseException) -> str:
    if isinstance(error, Rejected | PictureUnavailable):
        return error.stage
    return "deadline" if isinstance(error, DeadlineExceeded) else "unexpected"


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """A letter as it stands on a dead-letter topic."""

    letter: DeadLetter
    record: Record

    @property
    def name(self) -> str:
        """Position of the record that failed, as topic/partition/offset."""
        return f"{self.letter.topic}/{self.letter.partition}/{self.letter.offset}"


def read_letters(topic: ReadTopic) -> Iterator[StoredLetter]:
    """All letters, partition by partition, oldest first. InvalidRecord: one is none."""
    for partition in range(topic.partitions):
        for record in topic.read(partition):
            if REPLAYED in record.headers:
                continue
            try:
                yield StoredLetter(DeadLetter.from_record(record), record)
            except ValidationError as error:
                raise InvalidRecord(f"{record.position} is no dead letter: {error}") from error


def replay(letters: FileTopic, source: FileTopic, names: Collection[str] | None = None) -> int:
    """Put letters back on ``source``, each once however often this is called; how many were put.

    ``names``: only these letters; None: all. Crash-safe: what is about to be appended where is
    noted before (``replay.intent``), what has been appended after (``replayed.jsonl``); after a
    crash in between, the source tells which of the noted letters it has.
    """
    journal = _Journal(letters.path(0).parent, source)
    with open_to_append(journal.path) as lock:
        done = journal.replayed(lock)
        chosen: dict[str, StoredLetter] = {}
        for stored in read_letters(letters):
            if stored.name not in done and (names is None or stored.name in names):
                chosen[stored.name] = stored
        if chosen:
            journal.announce()
            source.append(put_back(stored) for stored in chosen.values())
            journal.record(lock, chosen)
        journal.settle()
    return len(chosen)


def put_back(stored: StoredLetter) -> Record:
    """The failed record as it was, with a replay's headers in place of the letter's."""
    own = {
        name: value
        for name, value in stored.record.headers.items()
        if not name.startswith(HEADER_PREFIX) and name != SOURCE
    }
    return Record(
        stored.record.key,
        stored.record.value,
        {
            **own,
            REPLAY_OF: stored.name,
            REPLAY_ORIGIN: own.get(REPLAY_ORIGIN, stored.name),
            REPLAY_ATTEMPTS: str(stored.letter.attempts),
            REPLAY_FIRST_TIME: stored.letter.first_time.isoformat(),
        },
    )


class _Journal:
    """Which letters of a dead-letter topic have been replayed; used under the lock on ``path``."""

    def __init__(self, folder: Path, source: FileTopic) -> None:
        self.path = folder / "replayed.jsonl"
        self._intent = folder / "replay.intent"
        self._source = source

    def replayed(self, file: int) -> set[str]:
        """Names of the letters replayed so far, those of a replay that was killed included."""
        os.ftruncate(file, end_of_last_line(file))
        done = {json.loads(line) for line in self.path.read_bytes().splitlines()}
        if self._intent.exists():
            appended = {
                record.headers[REPLAY_OF]
                for partition, offset in json.loads(self._intent.read_bytes()).items()
                for record in self._source.read(int(partition), offset)
                if REPLAY_OF in record.headers
            }
            self.record(file, appended - done)
            done |= appended
        return done

    def announce(self) -> None:
        """Note, durably, from where on the source may hold letters that are not recorded."""
        replace_durably(self._intent, json.dumps(self._source.end_offsets()).encode())

    def record(self, file: int, names: Iterable[str]) -> None:
        write_all(file, b"".join(json.dumps(name).encode() + b"\n" for name in names))
        os.fsync(file)

    def settle(self) -> None:
        self._intent.unlink(missing_ok=True)
