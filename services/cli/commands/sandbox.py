"""``looksync sandbox|eval``: the procedural fashion world, and quality measured against it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.cli.commands.context import Every, Looks, Products, Seed, settings_of
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


@sandbox.command("live")
def live_on(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Of a drawn world.")] = Path("var/world"),
    every: Every = 3.0,
) -> None:
    """Let a drawn world go on until Ctrl-C: send new looks, new products, and changes of prices and
    stock to the topics."""
    settings = settings_of(context)
    from services.cli.market import live

    with report_errors():
        live(folder, settings, every, console)


@evaluate.callback(invoke_without_command=True)
def evaluate_demo(
    context: typer.Context,
    folder: Annotated[Path, typer.Option(help="Where `demo` ran.")] = Path("var/demo"),
    ablation: Annotated[
        bool, typer.Option("--ablation", help="Match the looks again with each variant.")
    ] = False,
    candidates: Annotated[
        bool,
        typer.Option("--candidates", help="Match again, the model judging 5, 10, 20 products."),
    ] = False,
    shift: Annotated[
        bool, typer.Option("--shift", help="Match the looks again, disturbed and redrawn.")
    ] = False,
    second: Annotated[
        bool,
        typer.Option("--second-world", help="Match looks of a world that training never sees."),
    ] = False,
    looks: Annotated[
        int, typer.Option(min=1, help="Looks of --shift (the first of the demo), --second-world.")
    ] = 100,
    products: Annotated[
        int, typer.Option(min=11, max=1_000_000, help="Products of --second-world.")
    ] = 3000,
    seed: Annotated[int, typer.Option(min=0, help="Of --second-world.")] = 1001,
    model: Annotated[
        bool, typer.Option("--model", help="--second-world with the vision-language model, too.")
    ] = False,
) -> None:
    """Evaluate the matches of a demo again; with --ablation compare the ways of matching, with
    --candidates the numbers of products that the model judges, with --shift the looks as they are
    with looks that differ from what the models know. With --second-world measure on another drawn
    world, without a demo."""
    if context.invoked_subcommand:
        return
    from services.cli.evaluate import evaluate_folder, print_candidates, print_ways
    from services.cli.shift import evaluate_shifts

    if second:
        settings = settings_of(context)
        from sandbox.second_world import second_world
        from services.cli.second_world import evaluate_second_world

        with report_errors():
            world = second_world(seed, products, looks)
            evaluate_second_world(settings, world, with_model=model, console=console)
        return
    with report_errors():
        if shift:
            evaluate_shifts(folder, looks, console)
        elif ablation:
            print_ways(folder, console)
        elif candidates:
            print_candidates(folder, console)
        else:
            raise typer.Exit(evaluate_folder(folder, console))


@evaluate.command("coverage")
def coverage(context: typer.Context) -> None:
    """Count per vendor and attribute: given by the vendor, by a rule, by the model, or unknown."""
    settings = settings_of(context)
    from services.cli.evaluate import print_coverage

    with report_errors():
        print_coverage(settings, console)
