"""``looksync jobs``: work that runs once, next to the flows or while they are stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.cli.commands.context import settings_of
from services.cli.console import console, errors, report_errors

jobs = typer.Typer(
    help="Index files in bulk, change the model, rebuild ledger or index.", no_args_is_help=True
)


@jobs.command("reembed")
def reembed(
    context: typer.Context,
    to: Annotated[str | None, typer.Option(help="The new encoder.model.")] = None,
    flows: Annotated[
        int, typer.Option(min=0, help="Catalog flows that are running; 0 when they are stopped.")
    ] = 1,
    may_lack: Annotated[
        int, typer.Option(min=0, help="Products without a picture that may be left out.")
    ] = 0,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Go back to the previous model.")
    ] = False,
    finish: Annotated[
        bool, typer.Option("--finish", help="Stop updating the previous model's index.")
    ] = False,
) -> None:
    """Switch the index to another model while the flows run."""
    if (to is not None) + rollback + finish != 1:
        raise typer.BadParameter("choose one of --to MODEL, --rollback, --finish")
    settings = settings_of(context)
    from services.cli.reembed import finish_switch, roll_back, switch_model

    with report_errors():
        if to is not None:
            switch_model(settings, to, flows=flows, may_lack=may_lack, console=console)
        elif rollback:
            roll_back(settings, console)
        else:
            finish_switch(settings, console)


@jobs.command("rebuild-ledger")
def rebuild_lost_ledger(context: typer.Context) -> None:
    """Rebuild a lost ledger from catalog.changes and the index; stop the flows first."""
    settings = settings_of(context)
    from services.cli.rebuild_ledger import rebuild_ledger

    with report_errors():
        rebuild_ledger(settings, console)


@jobs.command("rebuild-index")
def rebuild_lost_index(context: typer.Context) -> None:
    """Rebuild a lost index from the ledger and the thumbnails; stop the flows first."""
    settings = settings_of(context)
    from services.cli.rebuild_index import rebuild_index

    with report_errors():
        rebuild_index(settings, console)


@jobs.command("bulk-index")
def bulk_index(
    context: typer.Context,
    paths: Annotated[
        list[Path], typer.Argument(help="Files, or folders whose feed files are all read.")
    ],
    vendor: Annotated[str, typer.Option(help="Name of a mapping, or a mapping file.")],
    folder: Annotated[
        Path | None,
        typer.Option(help="Folder of checkpoint and report; default: var/bulk-index/VENDOR."),
    ] = None,
) -> None:
    """Index whole files while the catalog flow is stopped; a second start resumes the job."""
    settings = settings_of(context)
    from dataflows.jobs.bulk_index import BulkJob
    from services.cli.bulk_index import index_files
    from services.cli.vendor import choose_mapping, tell_flow_needs

    with report_errors():
        chosen = choose_mapping(vendor, settings)
        place = folder or Path("var/bulk-index") / chosen.mapping.vendor
        code = index_files(settings, BulkJob(chosen.mapping, paths, place), console)
        tell_flow_needs(chosen, errors)
        raise typer.Exit(code)
