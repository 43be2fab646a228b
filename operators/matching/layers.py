"""The layers a look has: where each is, what it looks like, and what is said of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from PIL.Image import Image

from operators.budget import Budget
from operators.concurrency import gather_or_cancel
from operators.matching.crops import cut, square_around
from operators.matching.journal import Journal
from operators.matching.parts import MatchParts
from operators.ports import LayerDescription, Located, Picture, Vector
from schemas.attributes import Department
from schemas.errors import DeadlineExceeded, Unavailable
from schemas.looks import Look


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One garment or accessory group that a look wears."""

    department: Department
    picture: Image
    """The look's."""
    located: Located | None
    """None: the vision-language model names it, the segmenter did not find it."""
    crop: Image | None
    """The square around its region."""
    region: Vector | None
    """The crop's embedding."""
    description: LayerDescription | None
    """The vision-language model's; None: the tagger is to write it."""


async def detect_layers(
    look: Look, pictures: Sequence[Picture], parts: MatchParts, budget: Budget, journal: Journal
) -> list[Layer]:
    """The look's layers, those asked for only, from head of the list of departments to its end.

    The vision-language model says which there are; without one, or when it fails or is late, those
    that the segmenter found with enough confidence. Raises DeadlineExceeded when there is no time
    even for that.
    """
    image = pictures[0].image
    with journal.stage("segment"):
        async with budget.enforced("segment"):
            described, located = await asyncio.gather(
                _describe(pictures, parts, budget.share(parts.settings.describe_share), journal),
                parts.segmenter.locate(image, tuple(Department)),
            )
    if described is not None:
        present = set(described)
    else:
        threshold = parts.settings.layer_threshold
        present = {d for d, place in located.items() if place.confidence >= threshold}
    wanted = present.intersection(look.preferences.departments or Department)
    # A guess at what the user wants never hides a whole look.
    wanted = wanted.intersection(look.inferred.departments) or wanted

    async def layer(department: Department) -> Layer:
        place = located.get(department)
        description = described.get(department) if described else None
        if place is None:
            return Layer(department, image, None, None, None, description)
        crop = cut(image, square_around(place.region, image.width, image.height))
        region = await parts.encoder.encode_image(crop)
        return Layer(department, image, place, crop, region, description)

    with journal.stage("regions"):
        async with budget.enforced("regions"):
            return await gather_or_cancel(layer(d) for d in Department if d in wanted)


async def _describe(
    pictures: Sequence[Picture], parts: MatchParts, budget: Budget, journal: Journal
) -> dict[Department, LayerDescription] | None:
    if parts.vlm is None:
        return None
    try:
        async with budget.enforced("describe"):
            return await parts.vlm.describe(pictures, budget)
    except (Unavailable, DeadlineExceeded) as error:
        journal.degrade("describe", error)
        return None
