"""Looks that people have judged: the layers of one, ranked as in the look flow."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from operators.budget import Budget
from operators.concurrency import gather_or_cancel
from operators.matching.layers import Layer, detect_layers
from operators.matching.look_run import LookRun
from operators.matching.parts import MatchParts
from operators.matching.person import find_subject
from operators.matching.rank import RankedLayer, rank_layer
from schemas.attributes import Department
from schemas.looks import Look

SECONDS_PER_LOOK = 60.0
"""Nobody waits, and a look whose model was late says nothing about those whose model was not."""


@dataclass(frozen=True, slots=True, eq=False)
class RankedLook:
    """The layers of a look that were asked for and found."""

    pixel_hash: str
    """Of the picture, whatever its name."""
    layers: dict[Department, RankedLayer]
    """With the features of the best products, also when the encoder is uncalibrated."""


async def rank_look(
    look: Look, parts: MatchParts, departments: Collection[Department]
) -> RankedLook:
    """Rank the layers of ``departments`` that ``look`` has; nothing is weighed or left out.

    Raises ImageRefused or PictureUnavailable for its picture, DeadlineExceeded after a minute, and
    Unavailable when the index or the ledger does not answer.
    """
    parts = replace(parts, calibration=parts.calibration.being_fitted())
    run = LookRun(look, parts, Budget.of(SECONDS_PER_LOOK))
    picture = await parts.pictures.fetch(look.image)
    subject = await find_subject(run, picture.image)
    layers = await detect_layers(run, [subject.shown_in(picture)], subject.person_shown())

    async def rank(layer: Layer) -> RankedLayer:
        async with run.budget.enforced("layer"):
            return await rank_layer(run, layer)

    ranked = await gather_or_cancel(rank(one) for one in layers if one.department in departments)
    return RankedLook(picture.pixel_hash, {one.layer.department: one for one in ranked})
