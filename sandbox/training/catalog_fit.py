"""Fit what the catalog's nearest products say where the encoder's words do not fit.

``python -m sandbox.training.catalog_fit`` refits this part of ``calibration.json`` alone, on worlds
that ``sandbox.training.calibrate`` has drawn. A world is seen as drawn and as by another hand
(sandbox.training.other_hands): the first view teaches where layers are and how products are judged,
the second how much heat is worth on unfamiliar pictures. Figures: docs/decisions/195.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image

from operators.budget import Budget
from operators.matching.calibration import FILE_NAME, Calibration, CatalogEvidence, Logistic
from operators.matching.catalog_evidence import (
    NEAREST,
    nearest_products,
    one_piece_features,
    presence_features,
)
from operators.matching.layers import Layer
from operators.matching.logistic import fit_logistic
from operators.matching.look_run import LookRun
from operators.matching.parts import MatchParts
from operators.matching.patch_segmenter import ONE_PIECE, TWO_PIECES
from operators.matching.person import Subject, find_subject
from operators.matching.rank import rank_layer
from operators.matching.recognise import at_best_place, fits_of, see
from operators.models.encoder_table import encoder_source
from operators.models.load_encoder import load_encoder
from operators.ports import ImageTextEncoder, Located, Vector
from sandbox.life import LayerTruth, LookTruth, ProductTruth, World, open_world
from sandbox.training.other_hands import as_by_pencil, as_drawn, in_warm_light
from sandbox.training.usual_places import usual_places
from sandbox.training.world_parts import indexed
from schemas.attributes import Department
from schemas.looks import Look, Region
from schemas.settings import (
    EncoderSettings,
)

PLACES = {Department.BAG: 3}
"""Usual places of a layer; others have one."""


@dataclass(slots=True)
class Samples:
    """What the two views of a world teach."""

    fits: list[float] = field(default_factory=list)
    boxes: dict[Department, list[tuple[float, ...]]] = field(default_factory=dict)
    presence: list[tuple[dict[str, float], bool]] = field(default_factory=list)
    one_piece: list[tuple[dict[str, float], bool]] = field(default_factory=list)
    same_item: list[tuple[dict[str, float], bool]] = field(default_factory=list)
    same_kind: list[tuple[dict[str, float], bool]] = field(default_factory=list)


async def fit_catalog_evidence(
    worlds: Sequence[World], encoder: ImageTextEncoder, calibration: Calibration
) -> CatalogEvidence:
    """Fit on the looks of ``worlds``. ``calibration``: its ``presence`` and ``one_piece`` are."""
    nothing = Logistic(bias=0.0, weights={})
    unfitted = CatalogEvidence(
        least_fit=np.inf,
        presence=nothing,
        one_piece=nothing,
        places={},
        same_item=nothing,
        same_kind=nothing,
    )
    calibration = calibration.model_copy(update={"catalog": unfitted})
    samples = Samples()
    for world in worlds:
        async with indexed(world, encoder, calibration) as parts:
            await _study_drawn(world, parts, samples)
            await _study_fits(world, parts, samples)
    places = {one: usual_places(boxes, PLACES.get(one, 1)) for one, boxes in _sorted(samples)}
    for world in worlds:
        pencilled = cast(ImageTextEncoder, _Pencilled(encoder))  # for products only
        async with indexed(world, encoder, calibration, pencilled) as parts:
            await _study_pencilled(world, parts, places, samples)
    return CatalogEvidence(
        least_fit=round(min(samples.fits), 4),
        presence=_fit(samples.presence),
        one_piece=_fit(samples.one_piece),
        places=places,
        same_item=_fit(samples.same_item),
        same_kind=_fit(samples.same_kind),
    )


def _sorted(samples: Samples) -> list[tuple[Department, list[tuple[float, ...]]]]:
    return [(one, samples.boxes[one]) for one in Department if one in samples.boxes]


def _fit(samples: Sequence[tuple[dict[str, float], bool]]) -> Logistic:
    return fit_logistic([features for features, _ in samples], [label for _, label in samples])


async def _study_drawn(world: World, parts: MatchParts, samples: Samples) -> None:
    products = world.truth().products
    async for look, run, subject, located in _looks(world, parts, as_drawn):
        for name, layer in look.layers.items():
            department = Department(name)
            if subject.person is not None:
                box = _within(layer.box, subject.person)
                samples.boxes.setdefault(department, []).append(box)
            if department in located:
                place = located[department]
                vector = (await see(run, subject.image, place)).vector
                place = replace(place, vector=vector)
                await _judge(run, department, place, (layer, products), samples)


async def _study_fits(world: World, parts: MatchParts, samples: Samples) -> None:
    """How well words fit: in warm light they do less, and still decide better than products."""
    for view in (as_drawn, in_warm_light):
        async for _, run, subject, located in _looks(world, parts, view):
            seen = {one: await see(run, subject.image, place) for one, place in located.items()}
            if fits := await fits_of(run, seen):
                samples.fits.append(float(np.mean(fits)))


async def _judge(
    run: LookRun,
    department: Department,
    place: Located,
    truth: tuple[LayerTruth, dict[str, ProductTruth]],
    samples: Samples,
) -> None:
    worn, products = truth
    layer = Layer(department, Image.new("RGB", (1, 1)), place, None, place.vector, None, False)
    ranked = await rank_layer(run, layer)
    for product, features in zip(ranked.products, ranked.features, strict=False):
        kind = products[product.key].garment.type == worn.garment.type
        samples.same_item.append((features, product.key in worn.products))
        samples.same_kind.append((features, kind))


async def _study_pencilled(
    world: World, parts: MatchParts, places: dict[Department, tuple[Region, ...]], samples: Samples
) -> None:
    async for look, run, subject, located in _looks(world, parts, as_by_pencil):
        cosines: dict[Department, float] = {}
        for department, place in located.items():
            seen = (department, await see(run, subject.image, place))
            best = await at_best_place(run, subject.image, subject.person_shown(), seen, places)
            cosines[department] = best.nearest
            nearest = await nearest_products(run, best.vector, None, NEAREST)
            features = presence_features(place.confidence, nearest, best.nearest, department)
            samples.presence.append((features, department.value in look.layers))
        pieces = [cosines[one] for one in TWO_PIECES if one in cosines]
        if ONE_PIECE in cosines and pieces:
            reading = located[ONE_PIECE].reading
            features = one_piece_features(reading, cosines[ONE_PIECE], pieces)
            samples.one_piece.append((features, ONE_PIECE.value in look.layers))


async def _looks(
    world: World, parts: MatchParts, view: Callable[[Image.Image], Image.Image]
) -> AsyncIterator[tuple[LookTruth, LookRun, Subject, dict[Department, Located]]]:
    sent = {r.key: Look.model_validate_json(r.value) for r in world.look_event_records()}
    assert parts.segmenter is not None, "opened with one"
    for look in world.truth().looks:
        with Image.open(world.look_pictures / look.picture_file) as opened:
            picture = opened.convert("RGB")
        run = LookRun(sent[look.look_id], parts, Budget.of(600))
        subject = await find_subject(run, view(picture))
        located = await parts.segmenter.locate(subject.image, tuple(Department))
        yield look, run, subject, located


def _within(box: tuple[float, ...], person: Region) -> tuple[float, ...]:
    """``box`` in fractions of the person's."""
    width, height = person.x1 - person.x0, person.y1 - person.y0
    x0, y0, x1, y1 = box
    return (
        (x0 - person.x0) / width,
        (y0 - person.y0) / height,
        (x1 - person.x0) / width,
        (y1 - person.y0) / height,
    )


class _Pencilled:
    """Embeds products as drawn by pencil."""

    def __init__(self, encoder: ImageTextEncoder) -> None:
        self._encoder = encoder

    def __getattr__(self, name: str) -> object:
        return getattr(self._encoder, name)

    async def encode_image(self, image: Image.Image) -> Vector:
        return await self._encoder.encode_image(as_by_pencil(image))


async def _refit(model: str, folders: Sequence[Path]) -> Calibration:
    encoder = load_encoder(EncoderSettings(model=model))
    calibration = Calibration.of_encoder(encoder_source(model))
    worlds = [open_world(folder) for folder in folders]
    catalog = await fit_catalog_evidence(worlds, encoder, calibration)
    await encoder.close()
    return calibration.model_copy(update={"catalog": catalog})


def main() -> None:
    """Refit the catalog's evidence; everything else in the calibration stays."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("worlds", type=Path, nargs="+", help="Folders of drawn worlds.")
    parser.add_argument("--model", default=EncoderSettings().model)
    arguments = parser.parse_args()
    calibration = asyncio.run(_refit(arguments.model, arguments.worlds))
    out = Path(encoder_source(arguments.model).removeprefix("local-dir:")) / FILE_NAME
    out.write_text(calibration.model_dump_json(indent=1) + "\n", encoding="utf-8")
    assert calibration.catalog is not None, "just fitted"
    print(calibration.catalog.model_dump_json(indent=1))
    print(f"wrote {out}")


if __name__ == "__main__":
    main()
