"""The command line: ``looksync COMMAND``.

A module of ``commands/`` declares the arguments of a command and prints its errors; the module of
the same subject next to this one does the work. Heavy modules (torch, the engine) are imported by
the command that needs them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from services.cli.commands.api import api
from services.cli.commands.dead_letters import dlq
from services.cli.commands.flows import flow
from services.cli.commands.index import index, models
from services.cli.commands.jobs import jobs
from services.cli.commands.looks import looks, matches
from services.cli.commands.mappings import mapping
from services.cli.commands.products import product
from services.cli.commands.sandbox import evaluate, sandbox
from services.cli.commands.top_level import top_level
from services.cli.commands.topics import schema, topics
from services.cli.console import report_errors

app = typer.Typer(
    name="looksync",
    help="Makes AI-generated fashion looks shoppable.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(top_level)
for name, group in {
    "api": api,
    "flow": flow,
    "topics": topics,
    "dlq": dlq,
    "schema": schema,
    "index": index,
    "models": models,
    "jobs": jobs,
    "product": product,
    "mapping": mapping,
    "looks": looks,
    "matches": matches,
    "sandbox": sandbox,
    "eval": evaluate,
}.items():
    app.add_typer(group, name=name)


@app.callback()
def main(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(help="TOML file with settings; default: looksync.toml, if it exists."),
    ] = None,
) -> None:
    """Makes AI-generated fashion looks shoppable. Start with `looksync demo`."""
    context.obj = config


def run() -> None:
    """The command ``looksync``; errors are reported whichever module they come from."""
    try:
        with report_errors():
            app(prog_name="looksync")
    except typer.Exit as ended:
        sys.exit(ended.exit_code)
