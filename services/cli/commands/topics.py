"""``looksync topics|schema``: the topics, and the schemas of their records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.cli.commands.context import settings_of
from services.cli.console import console, report_errors

topics = typer.Typer(help="Create and check the topics.", no_args_is_help=True)
schema = typer.Typer(help="The schemas of the records on the topics.", no_args_is_help=True)


@topics.command("create")
def create_topics(context: typer.Context) -> None:
    """Create the missing topics; existing ones are left unchanged."""
    settings = settings_of(context)
    from services.cli.topics import create

    with report_errors():
        create(settings, console)


@topics.command("check")
def check_topics(context: typer.Context) -> None:
    """Print how the topics differ from the settings, and how far the flows' consumer groups are.

    Exit code 1 when topics differ, or a group cannot go on from its positions.
    """
    settings = settings_of(context)
    from services.cli.topics import check

    with report_errors():
        raise typer.Exit(check(settings, console))


@schema.command("export")
def export_schemas(
    folder: Annotated[Path, typer.Argument()] = Path("docs/schemas"),
) -> None:
    """Write the JSON Schema of every topic's records."""
    from schemas.export import export

    for path in export(folder):
        console.print(str(path))
