"""``looksync jobs reembed``: change the model without downtime.

    begin       create the new model's collection and make it the secondary index
    mirror      the catalog flows find it, load the model, write to both, and acknowledge
    backfill    embed every product of the ledger, repeatedly, until a pass repairs nothing
    compare     with the old collection; nothing is switched unless the new one is complete
    swap        the new collection becomes active, the old one secondary
    (restart)   every process with the new encoder.model, one after another; until its restart a
                process uses the old collection, which is still updated
    finish      stop updating the old collection

At each step ``rollback`` and starting again are safe.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from dataflows.wiring.parts import ReembedParts, open_aliases, open_reembed
from operators.catalog.backfill import Comparison, Pass, backfill, compare
from operators.stores.redis.index_identity import describe_index
from operators.stores.weaviate.aliases import Pair
from schemas.errors import Misconfigured, Unavailable
from schemas.settings import Settings

MIRROR_SECONDS = 300.0
"""How long the flows may take to find the new collection and load its model."""

SAMPLE_SIZE = 200
"""Products whose neighbours are compared."""

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Reembedded:
    """The result of a switch."""

    passes: list[Pass]
    comparison: Comparison
    pair: Pair


async def reembed(
    settings: Settings, to: str, *, flows: int, may_lack: int, report: Report
) -> Reembedded:
    """Switch to the model ``to`` after ``flows`` catalog flows have acknowledged that they mirror.

    ``may_lack``: how many products with neither picture nor thumbnail may be dropped. Raises
    Misconfigured when the switch is impossible, Unavailable when a server or a flow does not
    respond; it may then be run again.
    """
    async with open_reembed(settings, to) as parts:
        report(
            f"{parts.made.generation} is created; waiting for {flows} catalog flows to mirror it"
        )
        await _wait_until_mirrored(parts, flows)
        settle = settings.stream.catalog.deadline_seconds if flows else 0.0
        passes: list[Pass] = []
        while not passes or passes[-1].writes:
            # Wait for packets that a flow began before it mirrored, or during the last pass.
            await asyncio.sleep(settle)
            passes.append(await backfill(parts.backfill, settings.stream.catalog.window))
            report(_summary(passes[-1]))
        lacking = passes[-1].without_picture
        if len(lacking) > may_lack:
            raise Misconfigured(
                f"nothing was switched: {len(lacking)} products have neither picture nor thumbnail "
                f"({', '.join(lacking[:10])}); run again with --may-lack {len(lacking)} to go on "
                "without them"
            )
        comparison = await compare(parts.old, parts.backfill.index, SAMPLE_SIZE)
        # A flow that has stopped mirroring may have written to the old index only.
        await _wait_until_mirrored(parts, flows)
        await describe_index(parts.client, parts.made.generation)
        pair = await parts.aliases.swap()
    return Reembedded(passes, comparison, pair)


async def rollback(settings: Settings) -> Pair:
    """Make the secondary collection active again; the active one becomes secondary."""
    async with open_aliases(settings) as aliases:
        return await aliases.swap()


async def finish(settings: Settings) -> None:
    """Stop updating the secondary collection."""
    async with open_aliases(settings) as aliases:
        await aliases.drop_secondary()


async def _wait_until_mirrored(parts: ReembedParts, flows: int) -> None:
    end = time.monotonic() + MIRROR_SECONDS
    while (mirroring := await parts.acknowledgements.count(parts.made.generation)) < flows:
        if time.monotonic() > end:
            raise Unavailable(
                f"{mirroring} of {flows} catalog flows mirror {parts.made.generation} after "
                f"{MIRROR_SECONDS:.0f} s; check their logs, "
                "or set --flows to the number of running flows",
                reason="mirror",
            )
        await asyncio.sleep(0.5)


def _summary(made: Pass) -> str:
    return (
        f"{made.products:,} products: {made.embedded:,} embedded (by thumbnail "
        f"{made.embedded_by_thumbnail:,}), {made.patched:,} patched, {made.deleted:,} deleted, "
        f"{len(made.without_picture):,} without a picture"
    )
