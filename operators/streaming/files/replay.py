"""Replays and discards the dead letters of file topics, each once whenever a command is killed.

The letters' folder has the journal: ``replayed.jsonl`` and ``discarded.jsonl`` list letters by
name. A replay notes the source's end offsets before it appends (``replay.intent``) and the names
after it; after a crash in between, the source is read from the noted offsets to find which letters
it has.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from operators.durable_files import end_of_last_line, open_to_append, replace_durably, write_all
from operators.streaming.dead_letters import (
    DISCARDED,
    REPLAY_OF,
    REPLAYED,
    read_letters,
    to_replay_record,
)
from operators.streaming.files.topic import FileTopic
from operators.streaming.letter_selection import ALL, Selection


def replay(letters: FileTopic, source: FileTopic, selection: Selection = ALL) -> int:
    """Append the failed records to ``source`` again, each once over all calls; their number."""
    with _open_journal(letters, source) as journal:
        chosen = selection.choose(read_letters(letters), journal.settled())
        if chosen:
            journal.note_intent()
            source.append(to_replay_record(stored) for stored in chosen.values())
            journal.record_replayed(chosen)
        journal.clear_intent()
    return len(chosen)


def discard(letters: FileTopic, source: FileTopic, selection: Selection = ALL) -> int:
    """Note that the letters are not to be replayed; their number."""
    with _open_journal(letters, source) as journal:
        chosen = selection.choose(read_letters(letters), journal.settled())
        journal.record_discarded(chosen)
    return len(chosen)


def settled(letters: FileTopic, source: FileTopic) -> dict[str, str]:
    """What became of letters, by name: REPLAYED or DISCARDED."""
    with _open_journal(letters, source) as journal:
        return journal.settled()


class _Journal:
    """What became of the letters of a dead-letter topic; open while the lock is held."""

    def __init__(self, folder: Path, source: FileTopic, replayed: int, discarded: int) -> None:
        self._intent = folder / "replay.intent"
        self._source = source
        self._replayed, self._discarded = replayed, discarded

    def settled(self) -> dict[str, str]:
        """By name, including the letters of a killed replay."""
        done = dict.fromkeys(_names(self._discarded), DISCARDED)
        done |= dict.fromkeys(_names(self._replayed), REPLAYED)
        if self._intent.exists():
            appended = {
                record.headers[REPLAY_OF]
                for partition, offset in json.loads(self._intent.read_bytes()).items()
                for record in self._source.read(int(partition), offset)
                if REPLAY_OF in record.headers
            }
            self.record_replayed(appended - done.keys())
            done |= dict.fromkeys(appended, REPLAYED)
        return done

    def note_intent(self) -> None:
        """Note, durably, the offsets from which the source may hold unrecorded letters."""
        replace_durably(self._intent, json.dumps(self._source.end_offsets()).encode())

    def record_replayed(self, names: Iterable[str]) -> None:
        _append(self._replayed, names)

    def record_discarded(self, names: Iterable[str]) -> None:
        _append(self._discarded, names)

    def clear_intent(self) -> None:
        self._intent.unlink(missing_ok=True)


@contextmanager
def _open_journal(letters: FileTopic, source: FileTopic) -> Iterator[_Journal]:
    folder = letters.path(0).parent
    with (
        open_to_append(folder / f"{REPLAYED}.jsonl") as replayed,
        open_to_append(folder / f"{DISCARDED}.jsonl") as discarded,
    ):
        yield _Journal(folder, source, replayed, discarded)


def _names(file: int) -> Iterator[str]:
    """The names in a list; a line that a kill cut off is removed."""
    os.ftruncate(file, end_of_last_line(file))
    for line in os.pread(file, os.fstat(file).st_size, 0).splitlines():
        yield json.loads(line)


def _append(file: int, names: Iterable[str]) -> None:
    write_all(file, b"".join(json.dumps(name).encode() + b"\n" for name in names))
    os.fsync(file)
