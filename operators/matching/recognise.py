"""Which layers a picture shows, and where, when no vision-language model says so.

The encoder's words decide as long as they fit what they describe. Where they do not, the picture is
by another hand than the training ones, and the catalog's products decide with them: whether a
region looks like one of a department's products, which of several places does most, and whether the
person wears a dress or two pieces. Figures: docs/decisions/195.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL.Image import Image

from operators.concurrency import gather_or_cancel
from operators.matching.calibration import CatalogEvidence
from operators.matching.catalog_evidence import (
    NEAREST,
    nearest_products,
    one_piece_features,
    presence_features,
    unnamed_department,
)
from operators.matching.crops import Frame, cut, is_visible, square_around
from operators.matching.look_run import LookRun
from operators.matching.patch_segmenter import ONE_PIECE, TWO_PIECES
from operators.ports import Located, Vector
from schemas.attributes import Department
from schemas.looks import Region


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """A layer that the picture may show."""

    place: Located
    vector: Vector
    """The embedding of the region's crop."""
    words_fit: bool = True
    """Whether the tagger's words may describe it."""
    nearest: float = 0.0
    """Cosine of the nearest product of the department; 0 where words fit."""


SIDES = (0.75, 4 / 3)
"""Of the regions that are tried around the best place, relative to it."""

Sightings = dict[Department, Sighting]


async def recognise(
    run: LookRun, image: Image, person: Region | None, located: Mapping[Department, Located]
) -> Sightings:
    """The layers that are shown with at least ``layer_threshold`` probability.

    ``person``: in ``image``; None: nobody was found.
    """
    threshold = run.parts.settings.layer_threshold
    evidence = run.parts.calibration.catalog
    seen = dict(
        zip(
            located,
            await gather_or_cancel(see(run, image, one) for one in located.values()),
            strict=True,
        )
    )
    if evidence is not None and not await _words_fit(run, seen, evidence):
        seen = await _ask_catalog(run, image, person, seen, evidence)
    shown = {d: one for d, one in seen.items() if one.place.confidence >= threshold}
    return _one_reading(shown, evidence)


async def see(run: LookRun, image: Image, place: Located) -> Sighting:
    """The layer at ``place``, with its embedding."""
    if place.vector is not None:
        return Sighting(place, place.vector)
    crop = cut(image, square_around(place.region, image.width, image.height))
    return Sighting(place, await run.parts.encoder.encode_image(crop))


async def _words_fit(run: LookRun, seen: Sightings, evidence: CatalogEvidence) -> bool:
    """Whether the tagger's words fit the layers that the picture alone shows; in the mean, as one
    layer may be hidden or of a rare kind."""
    fits = await fits_of(run, seen)
    return not fits or float(np.mean(fits)) >= evidence.least_fit


async def fits_of(run: LookRun, seen: Sightings) -> list[float]:
    """Cosines of the regions that the likelier reading of the picture shows and their captions."""
    tagger, threshold = run.parts.tagger, run.parts.settings.layer_threshold
    assert tagger is not None, "without one, a model describes the layers"
    fits = []
    for department, one in seen.items():
        if one.place.reading >= 0.5 and one.place.confidence >= threshold:
            description = await tagger.describe(department, one.vector)
            fits.append(await tagger.cosine(one.vector, description))
    return fits


async def _ask_catalog(
    run: LookRun,
    image: Image,
    person: Region | None,
    seen: Sightings,
    evidence: CatalogEvidence,
) -> Sightings:
    """The sightings at their best places, as probable as their nearest products make them; under
    the department of these products where the encoder has no words for it."""
    asked = await gather_or_cancel(
        _ask_about(run, image, person, department, one, evidence)
        for department, one in seen.items()
    )
    found: Sightings = {}
    for department, one in asked:
        if department not in found or found[department].nearest < one.nearest:
            found[department] = one
    return found


async def _ask_about(
    run: LookRun,
    image: Image,
    person: Region | None,
    department: Department,
    sighting: Sighting,
    evidence: CatalogEvidence,
) -> tuple[Department, Sighting]:
    best = await at_best_place(run, image, person, (department, sighting), evidence.places)
    nearest = await nearest_products(run, best.vector, None, NEAREST)
    named = run.parts.calibration.departments
    department = unnamed_department(nearest, named) or department
    if department not in named:
        best = replace(best, nearest=await _nearest(run, best.vector, department))
    features = presence_features(best.place.confidence, nearest, best.nearest, department)
    confidence = evidence.presence.probability(features)
    return department, replace(best, place=replace(best.place, confidence=confidence))


async def at_best_place(
    run: LookRun,
    image: Image,
    person: Region | None,
    seen: tuple[Department, Sighting],
    places: Mapping[Department, tuple[Region, ...]],
) -> Sighting:
    """The sighting where it is nearest to a product of its department: where the picture alone puts
    it or at one of the usual ``places`` on the person, at one of a few sizes."""
    department, sighting = seen
    usual = places.get(department, ()) if person is not None else ()
    regions = [_in_person(one, person, image) for one in usual if person is not None]
    best = await _best(run, image, department, sighting, regions)
    return await _best(run, image, department, best, _resized(best.place.region))


async def _best(
    run: LookRun,
    image: Image,
    department: Department,
    sighting: Sighting,
    regions: Sequence[Region],
) -> Sighting:
    """Of the sighting and the same at ``regions``, the one nearest to a product."""
    others = [
        await see(run, image, replace(sighting.place, region=region, vector=None))
        for region in regions
        if is_visible(region, image)
    ]
    known = [
        replace(one, words_fit=False, nearest=await _nearest(run, one.vector, department))
        for one in (sighting, *others)
    ]
    return max(known, key=lambda one: one.nearest)


def _resized(region: Region) -> list[Region]:
    """The region smaller and larger, around the same centre."""
    x, y = (region.x0 + region.x1) / 2, (region.y0 + region.y1) / 2
    return [
        Region(
            x0=max(0.0, x - side * (x - region.x0)),
            y0=max(0.0, y - side * (y - region.y0)),
            x1=min(1.0, x + side * (region.x1 - x)),
            y1=min(1.0, y + side * (region.y1 - y)),
        )
        for side in SIDES
    ]


async def _nearest(run: LookRun, vector: Vector, department: Department) -> float:
    found = await nearest_products(run, vector, department, 1)
    return found[0].similarity if found else 0.0


def _in_person(place: Region, person: Region, image: Image) -> Region:
    frame = Frame(
        person.x0 * image.width,
        person.y0 * image.height,
        (person.x1 - person.x0) * image.width,
        (person.y1 - person.y0) * image.height,
    )
    return frame.region(place, image.width, image.height)


def _one_reading(shown: Sightings, evidence: CatalogEvidence | None) -> Sightings:
    """Without the layers of the less probable of the two readings, a dress or two pieces."""
    dress = shown.get(ONE_PIECE)
    pieces = [shown[piece] for piece in TWO_PIECES if piece in shown]
    if dress is None or not pieces:
        return shown
    probability = dress.place.reading
    if evidence is not None and not dress.words_fit:
        features = one_piece_features(probability, dress.nearest, [one.nearest for one in pieces])
        probability = evidence.one_piece.probability(features)
    dropped: Collection[Department] = TWO_PIECES if probability >= 0.5 else (ONE_PIECE,)
    return {department: one for department, one in shown.items() if department not in dropped}
