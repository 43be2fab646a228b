"""``looksync jobs reembed``: what is told of a switch of the model."""

from __future__ import annotations

import asyncio

from rich.console import Console

from dataflows.jobs.reembed import finish, reembed, rollback
from schemas.settings import Settings


def switch_model(
    settings: Settings, to: str, *, flows: int, may_lack: int, console: Console
) -> None:
    """Switch, and say how the indexes compare and what is left to do."""

    def tell(text: str) -> None:
        console.print(text, highlight=False, markup=False)

    done = asyncio.run(reembed(settings, to, flows=flows, may_lack=may_lack, tell=tell))
    comparison, pair = done.comparison, done.pair
    tell(
        f"products: {comparison.products[0]:,} in the old index, {comparison.products[1]:,} in the "
        f"new one; without a picture: {len(done.passes[-1].without_picture):,}; differing from "
        f"the ledger: 0; nearest ten in common: {comparison.agreement:.0%} over "
        f"{comparison.sampled:,} products"
    )
    tell(
        f"{pair.in_force.generation} is in force. Restart everything with encoder.model = "
        f"{to!r}, one process after another; then `looksync jobs reembed --finish`. The way back: "
        "`looksync jobs reembed --rollback`."
    )


def roll_back(settings: Settings, console: Console) -> None:
    """Put the index before in force again."""
    pair = asyncio.run(rollback(settings))
    console.print(
        f"{pair.in_force.generation} is in force again. Restart everything that was started with "
        f"another encoder.model than {pair.in_force.model!r}.",
        highlight=False,
        markup=False,
    )


def finish_switch(settings: Settings, console: Console) -> None:
    """Keep up the index before no longer."""
    asyncio.run(finish(settings))
    console.print("The index before is kept up no longer; it is still there.", markup=False)
