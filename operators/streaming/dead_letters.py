"""Dead letters: built by the flows; listed, replayed and discarded by commands.

A letter's name is the position of the record that failed, not its own position: after a crash the
end of a dead-letter topic may be cut off and rewritten in another order. A replay appends the
failed record to its source topic again, with headers that name the letter, its origin, and its
attempts so far; the next letter adds to them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from pydantic import ValidationError

from operators.streaming.engine.outcomes import Failed
from schemas.dead_letters import HEADER_PREFIX, DeadLetter
from schemas.errors import (
    DeadlineExceeded,
    InvalidRecord,
    KilledProcess,
    Misconfigured,
    PictureUnavailable,
    Rejected,
    Unavailable,
    list_problems,
)
from schemas.records import SOURCE, Record

REPLAY_OF = "replay-of"
"""Position of the failed record that this record repeats."""
REPLAY_ORIGIN = "replay-origin"
"""Position of the first record in a chain of replays."""
REPLAY_ATTEMPTS = "replay-attempts"
REPLAY_FIRST_TIME = "replay-first-time"
MOST_ATTEMPTS = 10**9
"""A header that says more was not written by a replay."""
WAITING = "waiting"
"""State of a letter that is neither replayed nor discarded."""
REPLAYED, DISCARDED = "replayed", "discarded"
"""What became of a letter; on Kafka the header of a mark, which is not a letter, with its name."""


class ReadableTopic(Protocol):
    """A topic to read letters from: files or Kafka."""

    @property
    def partitions(self) -> int: ...

    def read(self, partition: int, offset: int = 0) -> Iterator[Record]:
        """The records from ``offset`` to the present end."""
        ...


def dead_letter(failed: Failed[Record]) -> Record:
    """The record for the dead-letter topic: the failed record, with the letter in its headers."""
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
    """The position of ``record`` before its first replay; the same for all its replays."""
    return record.headers.get(REPLAY_ORIGIN, str(record.position))


def _history(record: Record, now: datetime) -> tuple[int, datetime]:
    """Earlier attempts and the time of the first, from a replay's headers; else 0 and ``now``.

    Headers come from outside, so invalid ones are ignored.
    """
    try:
        attempts = int(record.headers[REPLAY_ATTEMPTS])
        first = datetime.fromisoformat(record.headers[REPLAY_FIRST_TIME]).astimezone(UTC)
    except (KeyError, ValueError, OverflowError):
        return 0, now
    return (attempts, first) if 0 <= attempts <= MOST_ATTEMPTS else (0, now)


def _stage(error: BaseException) -> str:
    if isinstance(error, Rejected | PictureUnavailable):
        return error.stage
    if isinstance(error, Unavailable | Misconfigured):
        return "service"
    if isinstance(error, KilledProcess):
        return "process"
    return "deadline" if isinstance(error, DeadlineExceeded) else "unexpected"


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """A letter on a dead-letter topic."""

    letter: DeadLetter
    record: Record

    @property
    def name(self) -> str:
        """Position of the failed record, as topic/partition/offset."""
        return f"{self.letter.topic}/{self.letter.partition}/{self.letter.offset}"


def read_letters(topic: ReadableTopic) -> Iterator[StoredLetter]:
    """All letters, partition by partition, oldest first.

    Raises InvalidRecord for a record that is not a letter.
    """
    for partition in range(topic.partitions):
        for record in topic.read(partition):
            if REPLAYED in record.headers or DISCARDED in record.headers:
                continue
            try:
                yield StoredLetter(DeadLetter.from_record(record), record)
            except ValidationError as error:
                raise InvalidRecord(
                    f"{record.position} is not a dead letter: {list_problems(error)}"
                ) from error


@dataclass(frozen=True, slots=True)
class Tally:
    """The letters of a topic, counted."""

    states: Counter[str]
    """WAITING, REPLAYED or DISCARDED."""
    reasons: Counter[str]
    """``stage:reason``, of all letters."""
    waiting: Counter[str]
    """``stage:reason``, of those that wait."""


def tally(letters: Iterable[StoredLetter], settled: Mapping[str, str]) -> Tally:
    """Count ``letters``. ``settled``: what became of letters, by name."""
    states, reasons, waiting = Counter[str](), Counter[str](), Counter[str]()
    for stored in letters:
        state = settled.get(stored.name, WAITING)
        reason = f"{stored.letter.stage}:{stored.letter.reason}"
        states[state] += 1
        reasons[reason] += 1
        if state == WAITING:
            waiting[reason] += 1
    return Tally(states, reasons, waiting)


def to_repeat(record: Record) -> Record:
    """``record`` to be handled again, as a replay of itself."""
    place, own = str(record.position), dict(record.headers)
    own |= {REPLAY_OF: place, REPLAY_ORIGIN: own.get(REPLAY_ORIGIN, place)}
    return Record(record.key, record.value, own)


def to_replay_record(stored: StoredLetter) -> Record:
    """The failed record, with a replay's headers in place of the letter's."""
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
