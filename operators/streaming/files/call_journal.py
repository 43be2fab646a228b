"""Which record a flow on file topics was calling when its process died.

A record may end the process that calls it, by a crash in native code or by using up the memory.
After two deaths in a row, records are called one at a time, each noted in a file before its call;
a record that was noted at five deaths becomes a dead letter. On Kafka the consumer group's commits
do this (operators.streaming.kafka.suspects).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from operators.durable_files import replace_durably
from operators.streaming.engine.call_policy import DEATHS, TRIALS
from schemas.errors import KilledProcess
from schemas.records import Record

SURVIVED_CALLS = 2_000
"""Calls after which the earlier deaths are forgotten: more than may have been in progress or
unrecovered when the process died."""


@dataclass(slots=True)
class _Noted:
    """The content of the file."""

    running: bool = False
    deaths: int = 0
    """Processes that died in a row."""
    record: str = ""
    """Position of the record that is called alone."""
    blamed: dict[str, int] = field(default_factory=dict)
    """By position, the deaths at which a record was called alone."""


class CallJournal:
    """The admission of a flow's calls; open it in the only process of the flow."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._noted = _read(path)
        if self._noted.running:
            self._noted.deaths += 1
            if last := self._noted.record:
                self._noted.blamed[last] = self._noted.blamed.get(last, 0) + 1
        self._noted.running, self._noted.record = True, ""
        self._calls = 0
        self._write()

    @property
    def one_at_a_time(self) -> bool:
        return self._noted.deaths >= DEATHS

    def start(self, record: Record) -> bool:
        """Note ``record`` if calls are made one at a time. Raises KilledProcess for one that was
        noted at too many deaths."""
        self._calls += 1
        if self._calls > SURVIVED_CALLS and self._noted.deaths:
            self._noted = _Noted(running=True)
            self._write()
        if not self.one_at_a_time:
            return True
        position = str(record.position)
        if self._noted.blamed.get(position, 0) >= TRIALS:
            raise KilledProcess(
                f"the process died {self._noted.deaths} times in a row, {TRIALS} times while it "
                "handled this record alone",
                attempts=self._noted.deaths,
            )
        self._noted.record = position
        self._write()
        return True

    def given_up(self, record: Record) -> bool:
        return False

    def withdrawn(self, record: Record) -> None:
        return None

    def close(self) -> None:
        """The process ends in order, whatever it is calling."""
        self._noted.running, self._noted.record = False, ""
        if not self.one_at_a_time:
            self._noted.deaths = 0
        self._write()

    def _write(self) -> None:
        replace_durably(self._path, json.dumps(asdict(self._noted)).encode())


def _read(path: Path) -> _Noted:
    """The file's content; nothing noted when it is missing or unreadable."""
    try:
        return _Noted(**json.loads(path.read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        return _Noted()
