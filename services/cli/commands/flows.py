"""``looksync flow``: what the flows do now; pause them, move their positions."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from schemas.errors import Misconfigured
from services.cli.commands.context import settings_of, time_of
from services.cli.console import console, report_errors

flow = typer.Typer(
    help="What the flows do now; pause them, move their positions.", no_args_is_help=True
)

Name = Annotated[Literal["catalog", "looks"], typer.Argument(metavar="FLOW", help="catalog|looks")]


@flow.command()
def status(context: typer.Context) -> None:
    """Print what each flow does, and how much it has to handle."""
    settings = settings_of(context)
    from services.cli.flows import status as print_status

    with report_errors():
        raise typer.Exit(print_status(settings, console))


@flow.command()
def pause(
    context: typer.Context,
    name: Name,
    reason: Annotated[str | None, typer.Option(help="Shown by status and in the logs.")] = None,
) -> None:
    """Let a flow read nothing more; its processes finish what is in flight and stay."""
    settings = settings_of(context)
    from services.cli.flows import pause as pause_flow

    with report_errors():
        pause_flow(name, reason, settings, console)


@flow.command()
def resume(context: typer.Context, name: Name) -> None:
    """Let a paused flow go on."""
    settings = settings_of(context)
    from services.cli.flows import resume as resume_flow

    with report_errors():
        raise typer.Exit(resume_flow(name, settings, console))


@flow.command()
def skip(
    context: typer.Context,
    name: Name,
    record: Annotated[str, typer.Argument(help="partition/offset, e.g. 0/17")],
) -> None:
    """Make a dead letter of one record without handling it. Kafka; stop the flow first."""
    settings = settings_of(context)
    from services.cli.flows import skip_record

    with report_errors():
        skip_record(name, record, settings, console)


@flow.command()
def rewind(
    context: typer.Context,
    name: Name,
    to: Annotated[
        str | None,
        typer.Option(
            help="Handle again all records since this time: 2026-11-26T14:00Z. Kafka; stop the "
            "flow first."
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(help="Handle one product (vendor:product_id) or look again; no stop needed."),
    ] = None,
) -> None:
    """Handle records again: everything since a time, or one key."""
    settings = settings_of(context)
    from services.cli.flows import repeat_key, rewind_to

    with report_errors():
        if key is not None and to is None:
            raise typer.Exit(repeat_key(name, key, settings, console))
        if to is None or key is not None:
            raise Misconfigured("give either --to or --key")
        rewind_to(name, time_of("--to", to), settings, console)
