"""``looksync calibrate --judged``: fit the probabilities to looks that people have judged.

A product that was judged, but is not among those ranked for its layer, is counted and left out.
Its features are relative to the products that it is ranked with (``margin``, ``first``), so it has
none; and a probability is only ever computed for a product that is ranked. That it is missing says
something about retrieval, which hit@k measures, and nothing about confidence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dataflows.jobs.calibrate import HeldOut, require_text
from dataflows.jobs.judged_pairs import Pair, fit, hold_out, require_enough, settle, weigh_all
from dataflows.jobs.judgement_file import (
    Context,
    Judged,
    JudgementFile,
    Unused,
    read_judgements,
    summarise,
)
from dataflows.wiring.parts import open_look_parts
from operators.concurrency import gather_or_cancel
from operators.images.files import own_picture
from operators.matching.calibration import Calibration
from operators.matching.judged_looks import RankedLook, rank_look
from operators.matching.parts import MatchParts
from operators.ports import Ledger
from schemas.errors import (
    DeadlineExceeded,
    ImageRefused,
    Misconfigured,
    PictureUnavailable,
    UnreadableEntry,
)
from schemas.looks import Look
from schemas.settings import Settings

LOOKS_AT_ONCE = 8
KEYS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class CalibratedOnLooks:
    """What was fitted."""

    fingerprint: str
    """Of the encoder."""
    fitted: Calibration
    before: Calibration
    """In force until now."""
    by_model: bool
    """Whether the fit is for layers described by a vision-language model, or by the tagger."""
    held_out: list[HeldOut]
    held_out_before: list[HeldOut]
    """The same pairs, weighed by the calibration before; empty when that has no probabilities."""
    unused: list[Unused]


async def calibrate_judged(settings: Settings, file: Path) -> CalibratedOnLooks:
    """Rank the looks of ``file``, fit, and store. Flows use it from their next start.

    Raises Misconfigured when too few pairs can be used, or the encoder reads no text; InvalidFile;
    OSError; Unavailable. Nothing is stored then.
    """
    judgements = read_judgements(file)
    async with open_look_parts(settings) as parts:
        encoder, before = parts.match.encoder, parts.match.calibration
        require_text(encoder)
        by_model = parts.match.vlm is not None
        found, unused = await judge_looks(judgements, parts.match, settings.images.max_bytes)
        settled, left_out = settle(found)
        unused = [*judgements.unused, *unused, *left_out]
        try:
            require_enough(settled)
            held_out = hold_out(before, settled, by_model=by_model)
            fitted = fit(before, settled, by_model=by_model)
        except Misconfigured as error:
            raise Misconfigured(f"{error}\n{summarise(unused)}".rstrip()) from error
        await parts.calibrations.write(encoder.fingerprint, fitted)
    comparable = before.fitted(by_model=by_model)
    return CalibratedOnLooks(
        fingerprint=encoder.fingerprint,
        fitted=fitted,
        before=before,
        by_model=by_model,
        held_out=held_out,
        held_out_before=weigh_all(before, settled, by_model=by_model) if comparable else [],
        unused=unused,
    )


async def judge_looks(
    judgements: JudgementFile, parts: MatchParts, max_bytes: int
) -> tuple[list[Pair], list[Unused]]:
    """The judged products that were ranked, and the lines of those that were not.

    ``max_bytes``: of a picture. Raises Unavailable when the index or the ledger does not answer.
    """
    looks = list(judgements.looks.items())
    known = await _known(parts.ledger, sorted({one.product for _, look in looks for one in look}))
    found: list[Pair] = []
    unused: list[Unused] = []
    for first in range(0, len(looks), LOOKS_AT_ONCE):
        for pairs, left_out in await gather_or_cancel(
            _judge(context, judged, known, parts, max_bytes)
            for context, judged in looks[first : first + LOOKS_AT_ONCE]
        ):
            found += pairs
            unused += left_out
    return found, unused


async def _known(ledger: Ledger, keys: Sequence[str]) -> set[str]:
    """Those of ``keys`` that are products."""
    known: set[str] = set()
    for first in range(0, len(keys), KEYS_AT_ONCE):
        some = keys[first : first + KEYS_AT_ONCE]
        entries = await ledger.read_many(some, _leave_out)
        known |= {
            key
            for key, entry in zip(some, entries, strict=True)
            if entry is not None and entry.exists
        }
    return known


def _leave_out(error: UnreadableEntry) -> None:
    """A product that cannot be read is not known."""


async def _judge(
    context: Context,
    judged: Sequence[Judged],
    known: set[str],
    parts: MatchParts,
    max_bytes: int,
) -> tuple[list[Pair], list[Unused]]:
    """The pairs of one look, and the lines that are none."""
    unused = [
        Unused(one.line, "unknown-product", f"{one.product} is not in the catalog")
        for one in judged
        if one.product not in known
    ]
    judged = [one for one in judged if one.product in known]
    if not judged:
        return [], unused
    try:
        image = await asyncio.to_thread(own_picture, context.picture, max_bytes)
        look = Look(look_id="calibrate", image=image, market=context.market, gender=context.gender)
        ranked = await rank_look(look, parts, {one.layer for one in judged})
    except (ImageRefused, PictureUnavailable, DeadlineExceeded) as error:
        reason = "late" if isinstance(error, DeadlineExceeded) else "unreadable-picture"
        return [], [*unused, *(Unused(one.line, reason, str(error)) for one in judged)]
    found = [_pair(context, one, ranked, by_model=parts.vlm is not None) for one in judged]
    pairs = [one for one in found if isinstance(one, Pair)]
    return pairs, [*unused, *(one for one in found if isinstance(one, Unused))]


def _pair(context: Context, one: Judged, look: RankedLook, *, by_model: bool) -> Pair | Unused:
    layer = look.layers.get(one.layer)
    if layer is None:
        detail = f"no {one.layer.value} was found in {context.picture}"
        return Unused(one.line, "layer-not-found", detail)
    if by_model and layer.layer.description is None:
        # The other describer's fit is not for this file to change: it would mix the two.
        return Unused(one.line, "not-described", "the vision-language model did not answer")
    for product, features in zip(layer.products, layer.features, strict=False):
        if product.key == one.product:
            place = (context.market or "", context.gender or "", one.layer.value, one.product)
            return Pair(look.pixel_hash, place, one.line, one.verdict, features)
    detail = f"{one.product} is not among the {len(layer.features)} first for the {one.layer.value}"
    return Unused(one.line, "not-ranked", detail)
