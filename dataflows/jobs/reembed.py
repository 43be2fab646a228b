"""``looksync jobs reembed``: another model without downtime.

    begin       the new model's collection is made, and named as the one beside
    mirror      the catalog flows see it, load the model, write to both, and say so
    backfill    every product of the ledger, again and again until a pass finds nothing to repair
    compare     with the old collection; nothing is switched unless the new one is complete
    swap        the new collection is in force, the old one is kept up beside it
    (restart)   every process with the new encoder.model, one after another: until then it goes on
                with the old collection, which stays as good as it was
    finish      the old collection is no longer kept up

At each step ``rollback`` or starting again is safe.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from dataflows.wiring.parts import ReembedParts, open_aliases, open_reembed
from operators.catalog.backfill import Comparison, Pass, backfill, compare
from operators.stores.weaviate.aliases import Pair
from schemas.errors import Misconfigured, Unavailable
from schemas.settings import Settings

MIRROR_SECONDS = 300.0
"""How long the flows may take to see the new collection and to load its model."""

SAMPLE = 200
"""Products whose neighbours are compared."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Reembedded:
    """What the switch came to."""

    passes: list[Pass]
    comparison: Comparison
    pair: Pair


async def reembed(
    settings: Settings, to: str, *, flows: int, may_lack: int, tell: Tell
) -> Reembedded:
    """Switch to the model ``to``. ``flows``: catalog flows that must mirror before it goes on.

    ``may_lack``: products without picture and thumbnail that are let go. Raises Misconfigured when
    it cannot be done, Unavailable when a part stays away; it may then be run again.
    """
    async with open_reembed(settings, to) as parts:
        tell(f"{parts.made.generation} is made; waiting for {flows} catalog flows to mirror it")
        await _until_mirrored(parts, flows)
        settle = settings.stream.catalog.deadline_seconds if flows else 0.0
        passes: list[Pass] = []
        while not passes or passes[-1].writes:
            # What the flows had begun before they mirrored, or while a pass wrote, has ended.
            await asyncio.sleep(settle)
            passes.append(await backfill(parts.backfill, settings.stream.catalog.window))
            tell(_told(passes[-1]))
        lacking = passes[-1].without_picture
        if len(lacking) > may_lack:
            raise Misconfigured(
                f"nothing was switched: {len(lacking)} products have neither picture nor thumbnail "
                f"({', '.join(lacking[:10])}); run again with --may-lack {len(lacking)} to go on "
                "without them"
            )
        comparison = await compare(parts.old, parts.backfill.index, SAMPLE)
        # A flow that went away meanwhile may have written to its own index alone.
        await _until_mirrored(parts, flows)
        pair = await parts.aliases.swap()
    return Reembedded(passes, comparison, pair)


async def rollback(settings: Settings) -> Pair:
    """Put the collection beside back in force; the other is kept up beside it."""
    async with open_aliases(settings) as aliases:
        return await aliases.swap()


async def finish(settings: Settings) -> None:
    """Stop keeping up the collection beside."""
    async with open_aliases(settings) as aliases:
        await aliases.keep_none_beside()


async def _until_mirrored(parts: ReembedParts, flows: int) -> None:
    end = time.monotonic() + MIRROR_SECONDS
    while (mirroring := await parts.acknowledgements.count(parts.made.generation)) < flows:
        if time.monotonic() > end:
            raise Unavailable(
                f"{mirroring} of {flows} catalog flows mirror {parts.made.generation} after "
                f"{MIRROR_SECONDS:.0f} s; see their logs, or say with --flows how many there are",
                reason="mirror",
            )
        await asyncio.sleep(0.5)


def _told(made: Pass) -> str:
    return (
        f"{made.products:,} products: {made.embedded:,} embedded (by thumbnail "
        f"{made.of_them_by_thumbnail:,}), {made.patched:,} patched, {made.deleted:,} deleted, "
        f"{len(made.without_picture):,} without a picture"
    )
