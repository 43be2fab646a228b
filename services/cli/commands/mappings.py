"""``looksync mapping``: write and check vendors' mappings."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli.commands.context import settings_of
from services.cli.console import console, report_errors

mapping = typer.Typer(help="Vendors' mappings.", no_args_is_help=True)


@mapping.callback()
def about() -> None:
    """Vendors' mappings."""


@mapping.command("check")
def check(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help="A file of the vendor; - is standard input.")],
    name: Annotated[
        str, typer.Option("--mapping", help="A mapping file, or the name of a mapping.")
    ],
) -> None:
    """Show how a mapping reads the first rows of a file, and what is wrong with its paths."""
    settings = settings_of(context)
    from services.cli.mapping_check import try_mapping

    with report_errors():
        raise typer.Exit(try_mapping(file, name, settings, console))
