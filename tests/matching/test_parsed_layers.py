"""Layers and people located by human parsing, in a world whose pixels are unambiguous."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from operators.matching.calibration import LayerCalibration
from operators.matching.parsed_layers import DEPARTMENT_OF, ParsedLayers
from operators.matching.parts import MatchParts
from operators.matching.person import overlap
from schemas.attributes import Department
from schemas.errors import Misconfigured
from schemas.looks import Region
from tests.doubles import StoredPictures
from tests.matching.example_looks import URL, keys, layer, lenient, look, match
from tests.matching.painted import BOOTS, JEANS, RED_SHIRT, SUNDRESS, WALL, outfit, painting

TOP, BOTTOM, DRESS, FOOTWEAR = (
    Department.TOP,
    Department.BOTTOM,
    Department.DRESS,
    Department.FOOTWEAR,
)
SKIN = (240, 200, 170)
COAT = (90, 60, 20)
LABELS = {
    "Background": WALL,
    "Upper-clothes": RED_SHIRT,
    "Pants": JEANS,
    "Dress": SUNDRESS,
    "Left-shoe": BOOTS,
    "Face": SKIN,
    "coat": COAT,
}


class PaintParser:
    """Says which paint each cell shows, as certainly as it is told to."""

    fingerprint = "paint"
    labels = tuple(LABELS)

    def __init__(self, certainty: float = 0.98, cells: tuple[int, int] = (64, 64)) -> None:
        self._certainty, self._cells = certainty, cells

    async def parse(self, image: Image.Image) -> NDArray[np.float32]:
        rows, columns = self._cells
        pixels = np.asarray(image.resize((columns, rows), Image.Resampling.NEAREST))
        shown = [(pixels == paint).all(-1) for paint in LABELS.values()]
        rest = (1 - self._certainty) / (len(LABELS) - 1)
        return np.where(shown, self._certainty, rest).astype(np.float32)


async def test_every_layer_is_found_where_it_is() -> None:
    found = await ParsedLayers(PaintParser(), LayerCalibration()).locate(
        outfit(), tuple(Department)
    )
    shown = {one for one, place in found.items() if place.confidence > 0.5}
    assert shown == {TOP, BOTTOM, FOOTWEAR}
    top = found[TOP].region
    assert (top.x0, top.x1, top.y0, top.y1) == pytest.approx((0.25, 0.75, 1 / 6, 0.5), abs=0.02)
    assert found[TOP].confidence == pytest.approx(0.98)


@pytest.mark.parametrize("cells", [(24, 24), (128, 96), (64, 43)])
async def test_the_grids_shape_does_not_matter(cells: tuple[int, int]) -> None:
    found = await ParsedLayers(PaintParser(cells=cells), LayerCalibration()).locate(
        outfit(), (BOTTOM,)
    )
    box = found[BOTTOM].region
    assert (box.x0, box.x1, box.y0, box.y1) == pytest.approx((0.3125, 0.6875, 0.5, 5 / 6), abs=0.03)


async def test_only_requested_layers_are_returned() -> None:
    found = await ParsedLayers(PaintParser(), LayerCalibration()).locate(
        outfit(), (TOP, Department.WATCH)
    )
    assert set(found) == {TOP}


async def test_a_stray_spot_does_not_stretch_a_box_and_a_second_shoe_does() -> None:
    picture = painting(
        (RED_SHIRT, (20, 20, 60, 60)),
        (SKIN, (20, 60, 60, 110)),
        (RED_SHIRT, (24, 100, 28, 104)),
        (BOOTS, (20, 110, 34, 118)),
        (BOOTS, (46, 110, 60, 118)),
    )
    found = await ParsedLayers(PaintParser(), LayerCalibration()).locate(picture, (TOP, FOOTWEAR))
    assert found[TOP].region.y1 == pytest.approx(0.5, abs=0.02)
    assert (found[FOOTWEAR].region.x0, found[FOOTWEAR].region.x1) == pytest.approx(
        (0.25, 0.75), abs=0.02
    )


async def test_a_dress_is_the_likelier_reading_where_it_is_seen() -> None:
    picture = painting((SUNDRESS, (20, 20, 60, 100)), (RED_SHIRT, (20, 20, 60, 32)))
    found = await ParsedLayers(PaintParser(), LayerCalibration()).locate(picture, tuple(Department))
    assert found[DRESS].reading > 0.9
    assert found[TOP].reading == pytest.approx(1 - found[DRESS].reading)
    found = await ParsedLayers(PaintParser(), LayerCalibration()).locate(
        outfit(), tuple(Department)
    )
    assert found[TOP].reading > 0.9


WIDE = (360, 120)
TWO_PEOPLE = painting(
    (RED_SHIRT, (20, 20, 60, 60)),
    (JEANS, (25, 60, 55, 100)),
    (BOOTS, (20, 100, 60, 118)),
    (SUNDRESS, (260, 8, 340, 110)),
    (BOOTS, (270, 108, 330, 118)),
    size=WIDE,
)


async def test_people_are_found_apart_from_each_other() -> None:
    people = sorted(
        await ParsedLayers(PaintParser(), LayerCalibration()).find_people(TWO_PEOPLE),
        key=lambda one: one.x0,
    )
    assert len(people) == 2
    assert overlap(people[0], Region(x0=20 / 360, y0=20 / 120, x1=60 / 360, y1=118 / 120)) > 0.8
    assert overlap(people[1], Region(x0=260 / 360, y0=8 / 120, x1=340 / 360, y1=118 / 120)) > 0.8


async def test_the_layers_are_those_of_the_largest_person() -> None:
    found = await ParsedLayers(PaintParser(), LayerCalibration()).locate(
        TWO_PEOPLE, tuple(Department)
    )
    assert found[FOOTWEAR].region.x0 > 0.7
    assert DRESS in found
    assert TOP not in found or found[TOP].confidence < 0.1


async def test_nobody_is_found_before_an_empty_wall() -> None:
    parsed = ParsedLayers(PaintParser(), LayerCalibration())
    wall = painting()
    assert await parsed.find_people(wall) == []
    found = await parsed.locate(wall, tuple(Department))
    assert all(one.confidence < 0.1 for one in found.values())


@pytest.mark.parametrize(
    ("labels", "missing"), [(("background", "road"), "road"), (("shirt", "pants"), "pants")]
)
def test_a_parser_of_other_things_is_refused(labels: tuple[str, ...], missing: str) -> None:
    parser = PaintParser()
    parser.labels = labels
    with pytest.raises(Misconfigured, match=rf"{missing}.*labels for the background and for garm"):
        ParsedLayers(parser, LayerCalibration())


def test_labels_of_the_known_sets_name_departments() -> None:
    assert DEPARTMENT_OF["upper-clothes"] is TOP
    assert DEPARTMENT_OF["coat"] is Department.OUTERWEAR
    assert DEPARTMENT_OF["bag, wallet"] is Department.BAG
    assert ParsedLayers(PaintParser(), LayerCalibration()).departments == {
        TOP,
        BOTTOM,
        DRESS,
        FOOTWEAR,
        Department.OUTERWEAR,
    }


async def test_looks_are_matched_with_an_encoder_that_has_no_patches(parts: MatchParts) -> None:
    parsed = ParsedLayers(PaintParser(), LayerCalibration())
    parts = replace(parts, segmenter=parsed, person_finder=parsed, settings=lenient(parts))
    event = await match(look(), parts)
    assert {one.layer for one in event.layers} == {TOP, BOTTOM, FOOTWEAR}
    assert keys(layer(event, TOP))[0] == "a:shirt"
    assert keys(layer(event, BOTTOM))[0] == "a:jeans"


async def test_the_person_asked_for_is_matched(parts: MatchParts) -> None:
    parsed = ParsedLayers(PaintParser(), LayerCalibration())
    pictures = StoredPictures({URL: TWO_PEOPLE})
    parts = replace(
        parts,
        pictures=pictures,
        segmenter=parsed,
        person_finder=parsed,
        settings=lenient(parts),
    )
    event = await match(look(person=Region(x0=0.05, y0=0.1, x1=0.3, y1=0.9)), parts)
    assert {one.layer for one in event.layers} == {TOP, BOTTOM, FOOTWEAR}
    assert event.person is not None
    assert event.person.x1 < 0.3
