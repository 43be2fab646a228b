"""``looksync topics|schema``: the topics, and the schemas of their records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.cli.commands.context import settings_of
from services.cli.console import console, report_errors

topics = typer.Typer(help="Create, check and describe the topics.", no_args_is_help=True)
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


@topics.command("document")
def print_document() -> None:
    """Print the AsyncAPI document."""
    from operators.streaming.asyncapi import asyncapi_document

    typer.echo(asyncapi_document(), nl=False)


@schema.command("check")
def check_records(
    file: Annotated[Path, typer.Argument(help="One record as JSON, or JSON Lines.")],
    topic: Annotated[
        str, typer.Option(help="Whose records they are, e.g. looks.generated or looks.matched.")
    ] = "looks.generated",
) -> None:
    """Check records against the schema of a topic; exit code 1 when one does not fit."""
    from services.cli.schema_check import check

    with report_errors():
        raise typer.Exit(check(file, topic, console))


@schema.command("export")
def export_schemas(
    folder: Annotated[Path, typer.Argument()] = Path("docs/schemas"),
) -> None:
    """Write the JSON Schema of every topic's records."""
    from schemas.export import export

    for path in export(folder):
        console.print(str(path))
