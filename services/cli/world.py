"""Draw a sandbox world, with progress bars."""

from __future__ import annotations

from pathlib import Path

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from sandbox.life import World, draw_world
from services.cli.console import console


def progress_bars() -> Progress:
    """The progress bars of all commands: task, bar, count, elapsed time."""
    return Progress(
        TextColumn("{task.description:24}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )


def draw(folder: Path, *, seed: int, products: int, looks: int) -> World:
    """Draw a world into ``folder`` and show the progress."""
    with progress_bars() as bars:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(f"drawing {what}")
            bars.update(tasks[what], completed=done, total=total)

        return draw_world(folder, seed=seed, products=products, looks=looks, progress=show)
