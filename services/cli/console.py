"""The command line's consoles, and errors without tracebacks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.text import Text

from operators.file_errors import file_problem
from schemas.errors import LookSyncError, Misconfigured, Rejected, Unavailable

console = Console(emoji=False)
errors = Console(stderr=True, emoji=False)

EXIT_FAILURE = 1
EXIT_MISCONFIGURED = 2


def as_text(data: str) -> Text:
    """``data`` as it is, for a table or a line: no markup, controls of the terminal escaped."""
    plain = "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in data)
    return Text(plain)


def describe_kind(error: LookSyncError) -> str:
    """What kind of failure ``error`` is, in a user's words."""
    match error:
        case Misconfigured():
            return "misconfigured"
        case Unavailable():
            return "unavailable"
        case Rejected():
            return "refused"
        case _:
            return "failed"


@contextmanager
def report_errors() -> Iterator[None]:
    """Turn a LookSyncError into a message on stderr and an exit code.

    2 when something must be set up or changed first, as also when a file or folder cannot be used;
    1 for every other failure. Any other exception is a bug and keeps its traceback.
    """
    try:
        yield
    except (LookSyncError, OSError, sqlite3.Error) as raised:
        error = raised if isinstance(raised, LookSyncError) else file_problem(raised)
        if error is None:
            raise
        errors.print(f"[bold red]{describe_kind(error)}:[/] ", end="")
        errors.print(str(error), markup=False, highlight=False, soft_wrap=True)
        code = EXIT_MISCONFIGURED if isinstance(error, Misconfigured) else EXIT_FAILURE
        raise typer.Exit(code) from raised
