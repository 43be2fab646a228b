"""What the command line prints: one console for people, and errors without tracebacks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from schemas.errors import LookSyncError, Misconfigured

console = Console()
errors = Console(stderr=True)

EXIT_FAILURE = 1
EXIT_MISCONFIGURED = 2


@contextmanager
def reported() -> Iterator[None]:
    """Turn an error of ours into a message on stderr and an exit code.

    2 when something has to be set up or changed first, 1 for every other failure. Errors that
    are not ours keep their traceback: they are bugs.
    """
    try:
        yield
    except LookSyncError as error:
        errors.print(f"[bold red]{type(error).__name__}[/] ", end="")
        errors.print(str(error), markup=False, highlight=False, soft_wrap=True)
        code = EXIT_MISCONFIGURED if isinstance(error, Misconfigured) else EXIT_FAILURE
        raise typer.Exit(code) from error
