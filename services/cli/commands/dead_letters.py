"""``looksync dlq``: dead letters, records that the flows could not process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from schemas.errors import Misconfigured
from services.cli.commands.context import settings_of, time_of
from services.cli.console import console, report_errors

if TYPE_CHECKING:
    from operators.streaming.letter_selection import Selection

dlq = typer.Typer(
    help="Dead letters: records that the flows could not process.", no_args_is_help=True
)

Topic = Annotated[str, typer.Argument(help="Source topic, e.g. catalog.updates.")]
Reasons = Annotated[
    list[str] | None, typer.Option("--reason", help="A reason, or stage:reason; repeatable.")
]
Keys = Annotated[list[str] | None, typer.Option("--key", help="A record's key; repeatable.")]
Vendors = Annotated[
    list[str] | None, typer.Option("--vendor", help="All products of a vendor; repeatable.")
]
Names = Annotated[
    list[str] | None,
    typer.Option("--letter", help="partition/offset, as printed by list; repeatable."),
]
Since = Annotated[str | None, typer.Option(help="Failed at this time or later: 2026-11-26T14:00Z.")]
Until = Annotated[str | None, typer.Option(help="Failed before this time.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Most letters.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only list the letters.")]


@dlq.command("list")
def list_letters(
    context: typer.Context,
    topic: Annotated[str | None, typer.Option(help="Source topic; default: all.")] = None,
) -> None:
    """List dead letters by topic and reason, and what became of them."""
    settings = settings_of(context)
    from services.cli.dead_letters import print_letters

    with report_errors():
        print_letters(settings, topic, console)


@dlq.command("show")
def show_letter(
    context: typer.Context,
    topic: Topic,
    letter: Annotated[str, typer.Argument(help="partition/offset, as printed by list.")],
) -> None:
    """Show one dead letter: the reason, and the record's bytes."""
    settings = settings_of(context)
    from services.cli.dead_letters import print_letter

    with report_errors():
        print_letter(settings, topic, letter, console)


@dlq.command("replay")
def replay_letters(
    context: typer.Context,
    topic: Topic,
    reason: Reasons = None,
    key: Keys = None,
    vendor: Vendors = None,
    letter: Names = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
    dry_run: DryRun = False,
) -> None:
    """Replay dead letters on their topic, each at most once; without options, all."""
    settings = settings_of(context)
    from services.cli.dead_letters import print_selected, replay

    with report_errors():
        selection = _selection(letter, reason, key, vendor, (since, until), limit)
        if dry_run:
            print_selected(settings, topic, selection, console)
        else:
            console.print(f"{replay(settings, topic, selection)} replayed on {topic}")


@dlq.command("discard")
def discard_letters(
    context: typer.Context,
    topic: Topic,
    reason: Reasons = None,
    key: Keys = None,
    vendor: Vendors = None,
    letter: Names = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
    dry_run: DryRun = False,
) -> None:
    """Settle dead letters that are not to be replayed; at least one option must select them."""
    settings = settings_of(context)
    from operators.streaming.letter_selection import ALL
    from services.cli.dead_letters import discard, print_selected

    with report_errors():
        selection = _selection(letter, reason, key, vendor, (since, until), limit)
        if selection == ALL:
            raise Misconfigured(
                "discard: select the letters, for example by --reason or --until; `looksync dlq "
                "list` shows them"
            )
        if dry_run:
            print_selected(settings, topic, selection, console)
        else:
            console.print(f"{discard(settings, topic, selection)} of {topic} discarded")


def _selection(
    names: Sequence[str] | None,
    reasons: Sequence[str] | None,
    keys: Sequence[str] | None,
    vendors: Sequence[str] | None,
    span: tuple[str | None, str | None],
    limit: int | None,
) -> Selection:
    from operators.streaming.letter_selection import Selection

    since, until = span
    return Selection(
        names=frozenset(names or ()),
        reasons=frozenset(reasons or ()),
        keys=frozenset(keys or ()),
        vendors=frozenset(vendors or ()),
        since=None if since is None else time_of("--since", since),
        until=None if until is None else time_of("--until", until),
        limit=limit,
    )
