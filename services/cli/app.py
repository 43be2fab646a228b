"""The command line: ``looksync COMMAND``.

Each command reads the settings, calls the piece that does the work, and prints what came of it.
Heavy modules (torch, the engine) are imported by the command that needs them.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Literal

import typer

from operators.logs import configure
from schemas.settings import Settings, load_settings
from services.cli.console import console, reported

app = typer.Typer(
    name="looksync",
    help="Makes AI-generated fashion looks shoppable.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
dlq = typer.Typer(help="Dead letters: what the flows could not use.", no_args_is_help=True)
topics = typer.Typer(help="The topics as the settings say.", no_args_is_help=True)
jobs = typer.Typer(help="Work that is done once, beside the flows.", no_args_is_help=True)
schema = typer.Typer(help="The records on the topics.", no_args_is_help=True)
sandbox = typer.Typer(help="The procedural fashion world.", no_args_is_help=True)
evaluate = typer.Typer(help="Quality, measured against the truth.", invoke_without_command=True)
models = typer.Typer(help="Image-text encoders known by name.", no_args_is_help=True)
index = typer.Typer(help="The vector index.", no_args_is_help=True)
app.add_typer(dlq, name="dlq")
app.add_typer(topics, name="topics")
app.add_typer(models, name="models")
app.add_typer(index, name="index")
app.add_typer(jobs, name="jobs")
app.add_typer(schema, name="schema")
app.add_typer(sandbox, name="sandbox")
app.add_typer(evaluate, name="eval")

FlowName = Literal["catalog", "looks"]
Seed = Annotated[int, typer.Option(min=0, help="Another seed draws another world.")]
Products = Annotated[int, typer.Option(min=20, max=1_000_000)]
Looks = Annotated[int, typer.Option(min=1, max=1_000_000)]


@app.callback()
def main(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(help="TOML file with settings; default: looksync.toml, if there is one."),
    ] = None,
) -> None:
    """Read by every command: which settings file to use."""
    context.obj = config


def _settings(context: typer.Context) -> Settings:
    """Asked for before anything heavy is imported: what is wrong with them is told at once."""
    with reported():
        settings = load_settings(context.find_root().obj)
    configure(settings.log_format)
    return settings


@app.command()
def demo(
    seed: Seed = 7,
    products: Products = 2000,
    looks: Looks = 100,
    folder: Annotated[Path, typer.Option(help="Emptied first.")] = Path("var/demo"),
) -> None:
    """Draw a fashion world, stream it through both flows, and measure what came out."""
    from services.cli.demo import run_demo

    with reported():
        raise typer.Exit(run_demo(folder, seed=seed, products=products, looks=looks))


@app.command()
def up(context: typer.Context) -> None:
    """Start the embedded parts and both flows; Ctrl-C stops them all."""
    settings = _settings(context)
    from services.cli.stack import run_stack

    with reported():
        raise typer.Exit(run_stack(settings, config=context.find_root().obj))


@app.command()
def run(
    context: typer.Context,
    flow: Annotated[FlowName, typer.Argument()],
    once: Annotated[
        bool, typer.Option("--once", help="Process what is there, drain, exit.")
    ] = False,
) -> None:
    """Run one flow until SIGTERM or Ctrl-C, which it drains for."""
    settings = _settings(context)
    from dataflows.run import run_flow

    with reported():
        raise typer.Exit(run_flow(flow, settings, once=once))


@app.command()
def ingest(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV, TSV, JSON Lines, Merchant XML or Parquet.")],
    vendor: Annotated[str, typer.Option(help="Name of a mapping, or a mapping file.")],
) -> None:
    """Turn a vendor's file into packets on catalog.updates."""
    settings = _settings(context)
    from services.cli.ingest import ingest_file

    with reported():
        summary = ingest_file(file, vendor, settings)
        summary.print(console)
        raise typer.Exit(1 if summary.refused and not summary.sent else 0)


@app.command()
def match(
    context: typer.Context,
    image: Annotated[str, typer.Argument(help="A file, or a http(s) URL.")],
    json: Annotated[bool, typer.Option("--json", help="The event, as on looks.matched.")] = False,
    market: Annotated[str | None, typer.Option(help="ISO country code: IN, US, JP.")] = None,
    gender: Annotated[Literal["female", "male", "unisex"] | None, typer.Option()] = None,
) -> None:
    """Match one picture with the products in the index."""
    settings = _settings(context)
    from services.cli.match import match_picture, print_matches

    with reported():
        matches = asyncio.run(match_picture(image, settings, market=market, gender=gender))
        if json:
            typer.echo(matches.model_dump_json(indent=2))
        else:
            print_matches(matches, console)
        raise typer.Exit(1 if matches.refused else 0)


@app.command()
def doctor(context: typer.Context) -> None:
    """Print the settings in force and probe every part."""
    settings = _settings(context)
    from services.cli.doctor import examine

    with reported():
        raise typer.Exit(examine(settings, console))


@topics.command("create")
def topics_create(context: typer.Context) -> None:
    """Create the topics that are missing; those that exist stay as they are."""
    settings = _settings(context)
    from services.cli.topics import create

    with reported():
        create(settings, console)


@topics.command("check")
def topics_check(context: typer.Context) -> None:
    """Say in what the topics differ from the settings; exit code 1 when in anything."""
    settings = _settings(context)
    from services.cli.topics import check

    with reported():
        raise typer.Exit(check(settings, console))


@dlq.command("list")
def dlq_list(
    context: typer.Context,
    topic: Annotated[str | None, typer.Option(help="Source topic; default: all.")] = None,
) -> None:
    """Dead letters by topic and reason."""
    settings = _settings(context)
    from services.cli.dead_letters import print_letters

    with reported():
        print_letters(settings, topic, console)


@dlq.command("show")
def dlq_show(
    context: typer.Context,
    topic: Annotated[str, typer.Argument(help="Source topic, e.g. catalog.updates.")],
    letter: Annotated[str, typer.Argument(help="partition/offset, as printed by list.")],
) -> None:
    """One dead letter: why, and the record's bytes."""
    settings = _settings(context)
    from services.cli.dead_letters import print_letter

    with reported():
        print_letter(settings, topic, letter, console)


@dlq.command("replay")
def dlq_replay(
    context: typer.Context,
    topic: Annotated[str, typer.Argument(help="Source topic, e.g. catalog.updates.")],
) -> None:
    """Put the letters that were not yet replayed back on their topic, each once."""
    settings = _settings(context)
    from services.cli.dead_letters import replay

    with reported():
        console.print(f"{replay(settings, topic)} put back on {topic}")


@index.command("create")
def index_create(context: typer.Context) -> None:
    """Make the index of the encoder in force, if there is none; the flows do so too."""
    settings = _settings(context)
    from services.cli.index import create_index

    with reported():
        asyncio.run(create_index(settings, console))


@models.command("list")
def models_list() -> None:
    """The encoders that `encoder.model` can name."""
    from services.cli.models import print_encoders

    print_encoders(console)


@models.command("fetch")
def models_fetch(
    name: Annotated[str, typer.Argument(help="As printed by list.")],
    folder: Annotated[Path | None, typer.Option(help="Where to; default: var/models/NAME.")] = None,
) -> None:
    """Download a model into a folder, verify its files and load it."""
    from services.cli.models import fetch_model

    with reported():
        fetch_model(name, folder, console)


@jobs.command("reembed")
def jobs_reembed(
    context: typer.Context,
    to: Annotated[str | None, typer.Option(help="The new encoder.model.")] = None,
    flows: Annotated[
        int, typer.Option(min=0, help="Catalog flows that run now; 0 when they are stopped.")
    ] = 1,
    may_lack: Annotated[
        int, typer.Option(min=0, help="Products without a picture that may be left out.")
    ] = 0,
    rollback: Annotated[bool, typer.Option("--rollback", help="Back to the one before.")] = False,
    finish: Annotated[
        bool, typer.Option("--finish", help="Keep up the one before no longer.")
    ] = False,
) -> None:
    """Switch the index to another model while everything runs."""
    if (to is not None) + rollback + finish != 1:
        raise typer.BadParameter("one of --to MODEL, --rollback, --finish")
    settings = _settings(context)
    from services.cli.reembed import finish_switch, roll_back, switch_model

    with reported():
        if to is not None:
            switch_model(settings, to, flows=flows, may_lack=may_lack, console=console)
        elif rollback:
            roll_back(settings, console)
        else:
            finish_switch(settings, console)


@jobs.command("rebuild-ledger")
def jobs_rebuild_ledger(context: typer.Context) -> None:
    """Fill a lost ledger from catalog.changes and the index; stop the flows first."""
    settings = _settings(context)
    from services.cli.rebuild_ledger import rebuild_ledger

    with reported():
        rebuild_ledger(settings, console)


@schema.command("export")
def schema_export(
    folder: Annotated[Path, typer.Argument()] = Path("docs/schemas"),
) -> None:
    """Write the JSON Schema of every topic's records."""
    from schemas.export import export

    for path in export(folder):
        console.print(str(path))


@sandbox.command("draw")
def sandbox_draw(
    folder: Annotated[Path, typer.Argument()] = Path("var/world"),
    seed: Seed = 7,
    products: Products = 2000,
    looks: Looks = 100,
) -> None:
    """Draw a world: pictures, vendors' packets and files, looks, and the truth beside."""
    from sandbox.life import write_feed_files
    from services.cli.world import draw

    with reported():
        world = draw(folder, seed=seed, products=products, looks=looks)
        console.print(f"drawn into {folder}; the vendors' files, for `looksync ingest`:")
        for path in write_feed_files(world, folder / "feeds"):
            console.print(f"  {path}", highlight=False)


@evaluate.callback(invoke_without_command=True)
def evaluate_demo(
    context: typer.Context,
    folder: Annotated[Path, typer.Option(help="Where `demo` ran.")] = Path("var/demo"),
    ablation: Annotated[
        bool, typer.Option("--ablation", help="Compare the ways of matching.")
    ] = False,
) -> None:
    """Judge the matches of a demo again; with --ablation compare the ways there are."""
    if context.invoked_subcommand:
        return
    from services.cli.evaluate import evaluate_folder

    with reported():
        raise typer.Exit(evaluate_folder(folder, ablation=ablation, console=console))


@evaluate.command("coverage")
def evaluate_coverage(context: typer.Context) -> None:
    """Per vendor and attribute: given by the vendor, by a rule, by the model, or unknown."""
    settings = _settings(context)
    from services.cli.evaluate import print_coverage

    with reported():
        print_coverage(settings, console)
