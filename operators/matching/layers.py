"""Detect the layers of a look: where each one is, how it looks, and how it is described."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL.Image import Image

from operators.concurrency import gather_or_cancel
from operators.matching.crops import cut, square_around
from operators.matching.locate import describe_and_locate
from operators.matching.look_run import LookRun
from operators.matching.recognise import Sightings, recognise
from operators.ports import LayerDescription, Located, Picture, Vector
from schemas.attributes import Department
from schemas.looks import Region


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A garment or group of accessories worn in a look."""

    department: Department
    picture: Image
    """The whole look."""
    located: Located | None
    """None: named by the vision-language model, found by nobody."""
    crop: Image | None
    """The square around the region."""
    region: Vector | None
    """The crop's embedding."""
    description: LayerDescription | None
    """By the vision-language model; None: the tagger has to describe the layer."""
    words_fit: bool = True
    """False: the nearest products have to describe it, as the tagger's words do not fit."""


async def detect_layers(
    run: LookRun, pictures: Sequence[Picture], person: Region | None
) -> list[Layer]:
    """The layers to match, in the order of the departments. ``person``: in the first picture.

    The vision-language model decides which layers there are. Without a model, or when it fails or
    is late, these are the layers that are recognised (operators.matching.recognise). Explicitly
    preferred departments are the only ones matched; inferred ones are, unless none is worn.

    Raises DeadlineExceeded when there is no time even for locating layers, and Unavailable when
    only the model could have found them.
    """
    image, parts = pictures[0].image, run.parts
    with run.journal.stage("segment"):
        async with run.budget.enforced("segment"):
            described, located = await describe_and_locate(run, pictures)
    seen: Sightings = {}
    if described is None:
        with run.journal.stage("regions"):
            async with run.budget.enforced("regions"):
                seen = await recognise(run, image, person, located)
    present = set(seen if described is None else described)
    wanted = present.intersection(run.look.preferences.departments or Department)
    # An inferred preference must never hide a whole look.
    wanted = wanted.intersection(run.look.inferred.departments) or wanted

    async def layer(department: Department) -> Layer:
        sighting = seen.get(department)
        place = located.get(department) if sighting is None else sighting.place
        description = described.get(department) if described else None
        if place is None:
            return Layer(department, image, None, None, None, description)
        crop = cut(image, square_around(place.region, image.width, image.height))
        if sighting is not None:
            return Layer(department, image, place, crop, sighting.vector, None, sighting.words_fit)
        region = place.vector
        if region is None:
            region = await parts.encoder.encode_image(crop)
        return Layer(department, image, place, crop, region, description)

    with run.journal.stage("regions"):
        async with run.budget.enforced("regions"):
            return await gather_or_cancel(layer(d) for d in Department if d in wanted)
