"""The committed parser finds the layers of drawn looks, undisturbed or not."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image, ImageOps

from operators.matching.calibration import LayerCalibration
from operators.matching.parsed_layers import ParsedLayers
from operators.matching.person import overlap
from operators.models.transformers_parser import TransformersParser
from sandbox.training.other_hands import as_by_pencil, as_drawn, in_warm_light
from sandbox.world import DEPARTMENTS, LABELS, DrawnLook, draw_look, sample_outfit
from schemas.attributes import Department
from schemas.looks import Region
from schemas.settings import ParserSettings

FOLDER = Path(__file__).parents[2] / "sandbox" / "weights" / "parser"
CALIBRATION = LayerCalibration.in_folder(FOLDER)
SHOWN = 0.5
"""Probability from which a layer counts as found."""


@pytest_asyncio.fixture
async def parser() -> AsyncIterator[TransformersParser]:
    parser = TransformersParser(ParserSettings())
    yield parser
    await parser.close()


@pytest.fixture(scope="module")
def looks() -> list[DrawnLook]:
    rng = random.Random(90_501)
    return [draw_look(sample_outfit(rng), rng) for _ in range(25)]


def test_the_weights_are_small() -> None:
    assert (FOLDER / "model.safetensors").stat().st_size < 6_000_000


def test_it_tells_apart_what_the_world_draws(parser: TransformersParser) -> None:
    assert parser.labels == LABELS
    assert ParsedLayers(parser, CALIBRATION).departments == {
        Department(name) for name in DEPARTMENTS
    }


@pytest.mark.parametrize(
    ("view", "found_share", "least_overlap"),
    [
        (as_drawn, 0.97, 0.8),
        (ImageOps.mirror, 0.97, 0.8),
        (in_warm_light, 0.97, 0.8),
        (as_by_pencil, 0.9, 0.7),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
async def test_layers_are_found_where_they_are(
    parser: TransformersParser,
    looks: list[DrawnLook],
    view: Callable[[Image.Image], Image.Image],
    found_share: float,
    least_overlap: float,
) -> None:
    parsed = ParsedLayers(parser, CALIBRATION)
    worn, wrong, overlaps = 0, 0, []
    for look in looks:
        found = await parsed.locate(view(look.picture), tuple(Department))
        shown = {one for one, place in found.items() if place.confidence * place.reading >= SHOWN}
        wrong += sum(one.value not in look.boxes for one in shown)
        for name, box in look.boxes.items():
            worn += 1
            if Department(name) in shown:
                true = _region(box, look.picture, mirrored=view is ImageOps.mirror)
                overlaps.append(overlap(found[Department(name)].region, true))
    assert len(overlaps) >= found_share * worn
    assert wrong <= (1 - found_share) * worn
    assert np.mean(overlaps) >= least_overlap


async def test_a_small_person_beside_an_empty_wall_is_found(
    parser: TransformersParser, looks: list[DrawnLook]
) -> None:
    parsed = ParsedLayers(parser, CALIBRATION)
    right = 0
    for look in looks:
        wide = Image.new("RGB", (768, 512), (190, 200, 205))
        wide.paste(look.picture.resize((204, 307)), (500, 160))
        people = await parsed.find_people(wide)
        person = Region(x0=500 / 768, y0=160 / 512, x1=704 / 768, y1=467 / 512)
        right += len(people) == 1 and overlap(people[0], person) > 0.35
    assert right >= 0.9 * len(looks)


def _region(box: tuple[float, ...], picture: Image.Image, *, mirrored: bool) -> Region:
    x0, y0, x1, y1 = box
    if mirrored:
        x0, x1 = picture.width - x1, picture.width - x0
    return Region(
        x0=x0 / picture.width,
        y0=y0 / picture.height,
        x1=x1 / picture.width,
        y1=y1 / picture.height,
    )
