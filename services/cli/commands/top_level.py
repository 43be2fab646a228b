"""The commands without a group: demo, shop, up, run, serve, fake, ingest, match, ..."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Literal

import typer

from operators.importing import collector_paused
from services.cli.commands.context import Every, Looks, Products, Seed, config_file, settings_of
from services.cli.console import console, errors, report_errors

top_level = typer.Typer()

FlowName = Literal["catalog", "looks"]


@top_level.command()
def demo(
    seed: Seed = 7,
    products: Products = 2000,
    looks: Looks = 100,
    folder: Annotated[Path, typer.Option(help="Emptied first.")] = Path("var/demo"),
) -> None:
    """Draw a fashion world, stream it through both flows, and measure the results."""
    from services.cli.demo import run_demo

    with report_errors():
        raise typer.Exit(run_demo(folder, seed=seed, products=products, looks=looks))


@top_level.command()
def shop(
    seed: Seed = 7,
    products: Products = 2000,
    looks: Looks = 100,
    folder: Annotated[Path, typer.Option(help="Of a demo, which is run when missing.")] = Path(
        "var/demo"
    ),
    every: Every = 3.0,
) -> None:
    """Start everything on a demo world that lives: new looks and products, prices and stock that
    change. Ctrl-C stops it all."""
    from services.cli.shop import run_shop

    with report_errors():
        raise typer.Exit(
            run_shop(folder, seed=seed, products=products, looks=looks, every_seconds=every)
        )


@top_level.command()
def up(context: typer.Context) -> None:
    """Start the embedded servers, both flows, the shop and the API; Ctrl-C stops them all."""
    settings = settings_of(context)
    from services.cli.stack import run_stack

    with report_errors():
        raise typer.Exit(run_stack(settings, config=config_file(context)))


@top_level.command()
def run(
    context: typer.Context,
    flow: Annotated[FlowName, typer.Argument()],
    once: Annotated[
        bool,
        typer.Option("--once", help="Process the records on the topic, then exit."),
    ] = False,
) -> None:
    """Run one flow until SIGTERM or Ctrl-C; it finishes the records in flight, then exits."""
    settings = settings_of(context)
    from dataflows.run import run_flow

    with report_errors():
        raise typer.Exit(run_flow(flow, settings, once=once))


@top_level.command()
def serve(context: typer.Context) -> None:
    """Serve the HTTP API until SIGTERM or Ctrl-C."""
    settings = settings_of(context)
    from services.cli.serve import run_api

    with report_errors():
        asyncio.run(run_api(settings, console))


@top_level.command()
def fake(port: Annotated[int, typer.Option(help="0: any free one.")] = 8081) -> None:
    """Serve the API with recorded events, for the tests of apps; without models and servers."""
    from services.cli.serve import run_fake

    with report_errors():
        asyncio.run(run_fake(port, console))


@top_level.command()
def ingest(
    context: typer.Context,
    files: Annotated[
        list[str],
        typer.Argument(
            help="CSV, TSV, JSON Lines, JSON, XML or Parquet, also compressed; http(s) addresses; "
            "- is standard input."
        ),
    ],
    vendor: Annotated[str, typer.Option(help="Name of a mapping, or a mapping file.")],
    snapshot: Annotated[
        bool,
        typer.Option("--snapshot", help="The files hold all products: delete the others."),
    ] = False,
    patch: Annotated[
        bool, typer.Option("--patch", help="Rows change only the fields they have.")
    ] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Rows are deleted products.")] = False,
    as_of: Annotated[
        str | None,
        typer.Option(help="When the files were true (ISO 8601); they replace nothing newer."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Send nothing.")] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Allow any number of absent products, and unchanged files.",
        ),
    ] = False,
    rejects: Annotated[
        Path | None, typer.Option(help="File for refused rows, to correct and ingest them.")
    ] = None,
    max_refused: Annotated[
        str, typer.Option(help="Share of refused rows above which the exit code is 1.")
    ] = "5%",
) -> None:
    """Turn a vendor's files into packets on catalog.updates."""
    settings = settings_of(context)
    from dataflows.jobs.ingest import IngestRequest, run_ingest
    from schemas.catalog import PacketKind
    from services.cli import ingest as command
    from services.cli.vendor import choose_mapping, tell_flow_needs

    if patch and delete:
        raise typer.BadParameter("choose one of --patch, --delete")
    with report_errors():
        chosen = choose_mapping(vendor, settings)
        request = IngestRequest(
            files=files,
            mapping=chosen.mapping,
            kind=PacketKind.PATCH if patch else PacketKind.DELETE if delete else PacketKind.UPSERT,
            snapshot=snapshot,
            as_of=command.parse_as_of(as_of, chosen.mapping),
            dry_run=dry_run,
            force=force,
            rejects=rejects,
            max_refused=command.parse_share(max_refused),
        )
        report = run_ingest(request, settings)
        command.print_report(report, console)
        command.print_failures(report, errors)
        if not dry_run:
            command.note_run(report, chosen.mapping.vendor, settings, errors)
            tell_flow_needs(chosen, errors)
        raise typer.Exit(1 if report.failed else 0)


@top_level.command()
def match(
    context: typer.Context,
    image: Annotated[str, typer.Argument(help="A file, or an http(s) URL.")],
    json: Annotated[
        bool, typer.Option("--json", help="Print the event as it would be on looks.matched.")
    ] = False,
    market: Annotated[str | None, typer.Option(help="ISO country code: IN, US, JP.")] = None,
    gender: Annotated[Literal["female", "male", "unisex"] | None, typer.Option()] = None,
) -> None:
    """Match one picture with the products in the index."""
    settings = settings_of(context)
    with collector_paused():
        from services.cli.match import match_picture, print_matches

    with report_errors():
        matches = asyncio.run(match_picture(image, settings, market=market, gender=gender))
        if json:
            typer.echo(matches.model_dump_json(indent=2))
        else:
            print_matches(matches, console)
        raise typer.Exit(1 if matches.refused else 0)


@top_level.command()
def calibrate(
    context: typer.Context,
    sample: Annotated[int, typer.Option(min=1, help="Products that are looked at.")] = 600,
    judged: Annotated[
        Path | None,
        typer.Option(help="Judged looks to fit to instead: JSON Lines (docs/calibration.md)."),
    ] = None,
) -> None:
    """Fit the probabilities of matches to the catalog, which judges itself, or to judged looks."""
    settings = settings_of(context)
    from services.cli.calibrate import run_calibrate, run_calibrate_judged

    with report_errors():
        if judged is None:
            run_calibrate(settings, sample, console)
        else:
            run_calibrate_judged(settings, judged, console)


@top_level.command()
def doctor(context: typer.Context) -> None:
    """Print the settings in force, probe every component, and say what to do about failures."""
    settings = settings_of(context)
    with collector_paused():
        from services.cli.doctor import examine

    with report_errors():
        raise typer.Exit(asyncio.run(examine(settings, console)))
