"""Which dead letters a command is about."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from operators.streaming.dead_letters import StoredLetter


@dataclass(frozen=True, slots=True)
class Selection:
    """Letters that agree with every part that is set; without any, all."""

    names: frozenset[str] = frozenset()
    """topic/partition/offset of the failed record, or partition/offset."""
    reasons: frozenset[str] = frozenset()
    """Reason, or stage:reason."""
    keys: frozenset[str] = frozenset()
    vendors: frozenset[str] = frozenset()
    """Of catalog.updates, whose keys begin with the vendor."""
    since: datetime | None = None
    until: datetime | None = None
    """Of the last failure; ``until`` is exclusive."""
    limit: int | None = None
    """Most letters, in the order of the dead-letter topic."""

    def choose(
        self, letters: Iterable[StoredLetter], settled: Collection[str]
    ) -> dict[str, StoredLetter]:
        """The selected letters by name, without those in ``settled``."""
        chosen: dict[str, StoredLetter] = {}
        waiting = (s for s in letters if s.name not in settled and self._includes(s))
        for stored in waiting:
            if self.limit is not None and len(chosen) == self.limit:
                break
            chosen[stored.name] = stored
        return chosen

    def _includes(self, stored: StoredLetter) -> bool:
        letter, key = stored.letter, stored.record.key
        vendor, separator, _ = key.partition(":")
        return (
            _in(self.names, stored.name, f"{letter.partition}/{letter.offset}")
            and _in(self.reasons, letter.reason, f"{letter.stage}:{letter.reason}")
            and _in(self.keys, key)
            and (not self.vendors or (bool(separator) and vendor in self.vendors))
            and (self.since is None or letter.last_time >= self.since)
            and (self.until is None or letter.last_time < self.until)
        )


def _in(wanted: frozenset[str], *values: str) -> bool:
    return not wanted or not wanted.isdisjoint(values)


ALL = Selection()
