"""``looksync matches tail``: print matches as they come."""

from __future__ import annotations

import asyncio
from contextlib import closing

import typer
from pydantic import ValidationError
from rich.console import Console

from dataflows.wiring.topics import open_topic
from operators.streaming.tail import open_tail
from schemas.errors import list_problems
from schemas.looks import LookMatches
from schemas.records import Record
from schemas.settings import Settings
from services.cli.console import as_text
from services.cli.match import print_matches


async def tail_matches(
    settings: Settings, console: Console, *, json: bool, from_start: bool, count: int | None
) -> None:
    """Print the events of looks.matched, for ever or until there were ``count``.

    Raises Misconfigured or Unavailable.
    """
    topic = await asyncio.to_thread(open_topic, settings.topics, settings.topics.matches)
    starts = dict.fromkeys(range(topic.partitions), 0) if from_start else {}
    printed = 0
    with closing(await open_tail(topic, starts)) as tail:
        async for records in tail.batches():
            for record in records:
                _print(record, console, json=json)
                printed += 1
                if printed == count:
                    return


def _print(record: Record, console: Console, *, json: bool) -> None:
    if json:
        typer.echo(record.value.decode(errors="replace"))
        return
    console.rule(as_text(record.key))
    try:
        event = LookMatches.model_validate_json(record.value)
    except ValidationError as error:
        console.print(as_text(f"this event cannot be read: {list_problems(error)}"))
        return
    print_matches(event, console)
