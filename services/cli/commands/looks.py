"""``looksync looks|matches``: send looks, and see what they are matched with."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

import typer

from services.cli.commands.context import settings_of
from services.cli.console import console, report_errors

looks = typer.Typer(help="Send looks to be matched.", no_args_is_help=True)
matches = typer.Typer(help="See what looks are matched with.", no_args_is_help=True)


@looks.command()
def send(
    context: typer.Context,
    pictures: Annotated[
        list[str], typer.Argument(help="Pictures, folders of pictures, or http(s) URLs.")
    ],
    market: Annotated[str | None, typer.Option(help="ISO country code: IN, US, JP.")] = None,
    gender: Annotated[Literal["female", "male", "unisex"] | None, typer.Option()] = None,
    user: Annotated[str | None, typer.Option(help="Whom the looks are for.")] = None,
    api: Annotated[
        str | None, typer.Option(help="Address of an API to send them to, instead of the topic.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(envvar="LOOKSYNC_API_KEY", help="Key of that API.")
    ] = None,
) -> None:
    """Send each picture as a look. The same picture for the same market, gender and user is the
    same look: sent again, it is not answered again."""
    settings = settings_of(context)
    from services.cli.looks import LookContext, send_to_api, send_to_topic

    with report_errors():
        asked = LookContext(market=market, gender=gender, user_id=user)
        if api is None:
            raise typer.Exit(send_to_topic(pictures, asked, settings, console))
        raise typer.Exit(send_to_api(pictures, asked, (api, key), settings, console))


@matches.command()
def tail(
    context: typer.Context,
    json: Annotated[
        bool, typer.Option("--json", help="Print each event as it is on the topic, on one line.")
    ] = False,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Begin with the first event on the topic.")
    ] = False,
    count: Annotated[int | None, typer.Option(min=1, help="End after as many events.")] = None,
) -> None:
    """Print matches as they come, until Ctrl-C."""
    settings = settings_of(context)
    from services.cli.matches import tail_matches

    with report_errors():
        try:
            asyncio.run(
                tail_matches(settings, console, json=json, from_start=from_start, count=count)
            )
        except KeyboardInterrupt:
            raise typer.Exit(0) from None
