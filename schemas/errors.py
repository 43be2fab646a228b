"""The tree of errors, each with what happens next.

LookSyncError
├── Rejected            bad input: dead letter or clear refusal, never retried
│   ├── InvalidRecord       the bytes are no valid packet or look event
│   ├── InvalidUpdate       the payload breaks its vendor's mapping
│   ├── ImageRefused        not let in by the guard, or cannot be decoded
│   └── InvalidFile         a vendor's file is not what it says it is
├── Unavailable         a part cannot be reached now: wait, try again, hold back
├── DeadlineExceeded    the time budget is spent: degrade, else dead letter
└── Misconfigured       settings, mappings, files are wrong: stop, say what to do
    ├── IndexMismatch       the index was built by another model: nothing is written
    └── LedgerLost          the ledger is not the one that belongs to the index: rebuild it
"""

from __future__ import annotations


class LookSyncError(Exception):
    """Root of every error that crosses a module boundary.

    ``reason`` is a short stable code for metrics and dead letters ("too-large"); the message is
    for people.
    """

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason or type(self).__name__


class Rejected(LookSyncError):
    """The input can never succeed as it is."""

    stage = "input"


class InvalidRecord(Rejected):
    """The bytes of a record are not a valid event of their topic."""

    stage = "parse"


class InvalidUpdate(Rejected):
    """A packet's payload does not fit its vendor's mapping."""

    stage = "map"


class ImageRefused(Rejected):
    """A picture was not let in: forbidden address, too large, not an image, broken."""

    stage = "image"


class InvalidFile(Rejected):
    """A vendor's file cannot be read in its format."""

    stage = "ingest"


class Unavailable(LookSyncError):
    """A part (store, model server, remote host) does not answer now."""


class PictureUnavailable(Unavailable):
    """The host of one picture does not answer; other items are not held back by it."""

    stage = "image"


class DeadlineExceeded(LookSyncError):
    """The time budget of one item is spent."""


class Misconfigured(LookSyncError):
    """The process cannot run with these settings; the message says what to change."""


class IndexMismatch(Misconfigured):
    """The vector index belongs to another model than the one in force."""


class LedgerLost(Misconfigured):
    """What answers as the ledger is empty, or another one than before: nothing is decided by it."""
