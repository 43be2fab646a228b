"""``looksync sandbox|eval``: the procedural fashion world, and quality measured against it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.cli.commands.context import Looks, Products, Seed, settings_of
from services.cli.console import console, report_errors

sandbox = typer.Typer(help="The procedural fashion world.", no_args_is_help=True)
evaluate = typer.Typer(
    help="Measure quality against the ground truth of a demo.", invoke_without_command=True
)


@sandbox.command("draw")
def draw_world(
    folder: Annotated[Path, typer.Argument()] = Path("var/world"),
    seed: Seed = 7,
    products: Products = 2000,
    looks: Looks = 100,
) -> None:
    """Draw a world: pictures, vendors' packets and files, looks, and the ground truth."""
    from sandbox.life import write_feed_files
    from services.cli.world import draw

    with report_errors():
        world = draw(folder, seed=seed, products=products, looks=looks)
        console.print(f"drawn into {folder}; the vendors' files, for `looksync ingest`:")
        for path in write_feed_files(world, folder / "feeds"):
            console.print(f"  {path}", highlight=False)


@evaluate.callback(invoke_without_command=True)
def evaluate_demo(
    context: typer.Context,
    folder: Annotated[Path, typer.Option(help="Where `demo` ran.")] = Path("var/demo"),
    ablation: Annotated[
        bool, typer.Option("--ablation", help="Match the looks again with each variant.")
    ] = False,
    shift: Annotated[
        bool, typer.Option("--shift", help="Match the looks again, disturbed and redrawn.")
    ] = False,
    looks: Annotated[
        int, typer.Option(min=1, help="Looks of --shift; the first of the demo.")
    ] = 100,
) -> None:
    """Evaluate the matches of a demo again; with --ablation compare the matching variants, with
    --shift the looks as they are with looks that differ from what the models know."""
    if context.invoked_subcommand:
        return
    from services.cli.evaluate import evaluate_folder
    from services.cli.shift import evaluate_shifts

    with report_errors():
        if shift:
            evaluate_shifts(folder, looks, console)
            return
        raise typer.Exit(evaluate_folder(folder, ablation=ablation, console=console))


@evaluate.command("coverage")
def coverage(context: typer.Context) -> None:
    """Count per vendor and attribute: given by the vendor, by a rule, by the model, or unknown."""
    settings = settings_of(context)
    from services.cli.evaluate import print_coverage

    with report_errors():
        print_coverage(settings, console)
