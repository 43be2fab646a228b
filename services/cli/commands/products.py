"""``looksync product``: single products."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli.commands.context import settings_of
from services.cli.console import console, report_errors

product = typer.Typer(help="Single products.", no_args_is_help=True)


@product.command()
def show(
    context: typer.Context,
    key: Annotated[str, typer.Argument(help="vendor:product_id")],
) -> None:
    """Print what is known of a product, and why it cannot be matched."""
    settings = settings_of(context)
    from services.cli.products import show as show_product

    with report_errors():
        raise typer.Exit(show_product(key, settings, console))


@product.command("forget-version")
def forget_version(
    context: typer.Context,
    key: Annotated[str, typer.Argument(help="vendor:product_id")],
) -> None:
    """Let the next packet of a product win, whatever its version.

    For a product blocked by a wrong version: from a clock that is ahead, or a counter that was
    reset.
    """
    settings = settings_of(context)
    from services.cli.products import forget_version as forget

    with report_errors():
        raise typer.Exit(forget(key, settings, console))
