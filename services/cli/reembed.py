"""``looksync jobs reembed``: reports on a switch of the model."""

from __future__ import annotations

import asyncio

from rich.console import Console

from dataflows.jobs.reembed import finish, reembed, rollback
from schemas.settings import Settings


def switch_model(
    settings: Settings, to: str, *, flows: int, may_lack: int, console: Console
) -> None:
    """Switch the model, then print a comparison of the indexes and the next steps."""

    def report(text: str) -> None:
        console.print(text, highlight=False, markup=False)

    done = asyncio.run(reembed(settings, to, flows=flows, may_lack=may_lack, report=report))
    comparison, pair = done.comparison, done.pair
    report(
        f"products: {comparison.products[0]:,} in the old index, {comparison.products[1]:,} in the "
        f"new one; without a picture: {len(done.passes[-1].without_picture):,}; differing from "
        f"the ledger: 0; nearest ten in common: {comparison.agreement:.0%} over "
        f"{comparison.sampled:,} products"
    )
    report(
        f"{pair.active.generation} is active. Restart every process with encoder.model = "
        f"{to!r}, one after another, then run `looksync jobs reembed --finish`. To go back, run "
        "`looksync jobs reembed --rollback`."
    )


def roll_back(settings: Settings, console: Console) -> None:
    """Make the previous index active again."""
    pair = asyncio.run(rollback(settings))
    console.print(
        f"{pair.active.generation} is active again. Restart every process that was started with "
        f"another encoder.model than {pair.active.model!r}.",
        highlight=False,
        markup=False,
    )


def finish_switch(settings: Settings, console: Console) -> None:
    """Stop updating the previous index."""
    asyncio.run(finish(settings))
    console.print("The previous index is no longer updated; it still exists.", markup=False)
