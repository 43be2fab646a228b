"""The tree of errors, and what happens after each.

LookSyncError
├── Rejected            bad input: dead letter or clear refusal, never retried
│   ├── InvalidRecord       the bytes are not a valid packet or look event
│   ├── InvalidUpdate       the payload does not fit its vendor's mapping
│   ├── ImageRefused        rejected by the guard, or cannot be decoded
│   ├── InvalidFile         a vendor's file is not in the format it claims
│   └── UnreadableEntry     what a store holds for one key cannot be read; other keys are well
├── Unavailable         a server cannot be reached now: wait, retry, apply back-pressure; give an
│                       item up that fails again and again while the server answers the others
├── DeadlineExceeded    the time budget is used up: degrade, else dead letter
├── KilledProcess       the process has died of this item again and again: dead letter
└── Misconfigured       a wrong setting. At the start: stop and say what to change. What one item
    │                   meets later may be only its own: as Unavailable
    └── MustStop            no item may be handled: stop also while running
        ├── IndexMismatch       the index was built with another model: nothing is written
        ├── IndexLost           the index is gone, or not the one that the ledger describes: nothing
        │                       is written, looks are degraded; rebuild it
        └── LedgerLost          the ledger does not belong to the index: rebuild it
"""

from __future__ import annotations

import re

from pydantic import ValidationError

_WORD = re.compile(r"(?<!^)(?=[A-Z])")


class LookSyncError(Exception):
    """Root of every error that crosses a module boundary.

    ``reason`` is a short stable code for metrics and dead letters ("too-large"), by default the
    kind of the error ("unavailable"); the message is for people.
    """

    served = ("", 0)
    """The kind of the failed call, and how many of this kind its server has answered
    (operators.served_calls): when it answers others between two attempts, the failure is the
    item's."""

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason or _WORD.sub("-", type(self).__name__).lower()


class Rejected(LookSyncError):
    """The input is invalid: a retry cannot succeed."""

    stage = "input"


class InvalidRecord(Rejected):
    """The bytes of a record are not a valid event of their topic."""

    stage = "parse"


class InvalidUpdate(Rejected):
    """A packet's payload does not fit its vendor's mapping."""

    stage = "map"


class ImageRefused(Rejected):
    """A picture was rejected: forbidden address, too large, not an image, corrupt."""

    stage = "image"


class InvalidFile(Rejected):
    """A vendor's file cannot be read in its format."""

    stage = "ingest"


class UnreadableEntry(Rejected):
    """What a store holds for one key cannot be read; other keys are not affected."""

    stage = "store"


class Unavailable(LookSyncError):
    """A store, model server or remote host does not answer now."""


class PictureUnavailable(Unavailable):
    """The host of one picture does not answer; other items are not affected.

    ``retry_after_seconds``: how long the host asks to be left alone; 0 when it does not say.
    """

    stage = "image"

    def __init__(
        self, message: str, *, reason: str | None = None, retry_after_seconds: float = 0.0
    ) -> None:
        super().__init__(message, reason=reason)
        self.retry_after_seconds = retry_after_seconds


class DeadlineExceeded(LookSyncError):
    """The time budget of one item is used up."""


class KilledProcess(LookSyncError):
    """Handling the item ended the process, as a crash in native code does: it is not called again.

    ``attempts``: how often the process died.
    """

    def __init__(self, message: str, *, attempts: int) -> None:
        super().__init__(message)
        self.attempts = attempts


class Misconfigured(LookSyncError):
    """The process cannot run with these settings; the message says what to change."""


class MustStop(Misconfigured):
    """No item may be handled, because every outcome would be wrong."""


class IndexMismatch(MustStop):
    """The vector index was built with another model than the configured one."""


class IndexLost(MustStop):
    """The vector index is gone, empty or not the one that the ledger describes."""


class LedgerLost(MustStop):
    """The ledger is empty or not the expected one: no decision may rely on it."""


def list_problems(error: ValidationError) -> str:
    """What ``error`` found, as "field.name: message; ...", without the names of our classes."""
    return "; ".join(
        f"{'.'.join(map(str, problem['loc'])) or 'value'}: {problem['msg']}"
        for problem in error.errors()
    )
