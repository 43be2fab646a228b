"""``looksync index|models``: the vector index, and the encoders it can be built with."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from services.cli.commands.context import settings_of
from services.cli.console import console, report_errors

index = typer.Typer(help="The vector index.", no_args_is_help=True)
models = typer.Typer(help="List and download image-text encoders.", no_args_is_help=True)


@index.command("create")
def create(context: typer.Context) -> None:
    """Create the configured encoder's index if it is missing; the flows do so, too."""
    settings = settings_of(context)
    from services.cli.index import create_index

    with report_errors():
        asyncio.run(create_index(settings, console))


@models.command("list")
def list_models() -> None:
    """List the encoders that `encoder.model` can name."""
    from services.cli.models import print_encoders

    print_encoders(console)


@models.command("fetch")
def fetch(
    name: Annotated[str, typer.Argument(help="As printed by list.")],
    folder: Annotated[
        Path | None, typer.Option(help="Where to put it; default: var/models/NAME.")
    ] = None,
) -> None:
    """Download a model into a folder, verify its files and load it."""
    from services.cli.models import fetch_model

    with report_errors():
        fetch_model(name, folder, console)
