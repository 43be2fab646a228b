"""``looksync sandbox live``: a drawn world goes on, at a steady pace, until Ctrl-C."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from queue import Empty

from rich.console import Console

from dataflows.wiring.topics import open_topic
from sandbox.life import Happening, Market, open_world
from schemas.errors import Misconfigured
from schemas.settings import Settings
from services.processes import stop_signals


def live(folder: Path, settings: Settings, every_seconds: float, console: Console) -> None:
    """Publish what happens in the world of ``folder``, one thing each ``every_seconds``.

    Raises Misconfigured when there is no world.
    """
    stop = stop_signals()
    try:
        market = Market(open_world(folder))
    except FileNotFoundError:
        raise Misconfigured(
            f"{folder} holds no drawn world; run `looksync demo`, or `looksync sandbox draw`"
        ) from None
    looks = open_topic(settings.topics, settings.topics.looks)
    updates = open_topic(settings.topics, settings.topics.updates)

    def publish(happening: Happening) -> None:
        (looks if happening.what == "new look" else updates).append(happening.records)
        names = ", ".join(happening.names)
        console.print(f"{happening.what}: {names}", highlight=False, soft_wrap=True)

    while True:
        market.happen(datetime.now(UTC), publish)
        try:
            stop.get(timeout=every_seconds)
        except Empty:
            continue
        return
