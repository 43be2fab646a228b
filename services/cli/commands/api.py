"""``looksync api``: keys of the HTTP API, and its document."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli.console import console, report_errors

api = typer.Typer(help="Keys of the HTTP API, and its document.", no_args_is_help=True)


@api.command()
def key(
    name: Annotated[str, typer.Argument(help="Of the client; shown in the logs.")],
    scope: Annotated[
        list[str],
        typer.Option(help="read, match, write or admin; several: repeat the option."),
    ] = ["read"],  # noqa: B006
) -> None:
    """Make a key: print it, and the lines for the settings file, which hold only its hash."""
    from services.cli.serve import print_new_key

    with report_errors():
        print_new_key(name, scope, console)


@api.command()
def document() -> None:
    """Print the OpenAPI document."""
    from services.api.app import openapi_document

    typer.echo(openapi_document(), nl=False)
