"""The person is found first; layers are looked for, and reported, where that person is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PIL import Image

from operators.matching.parts import MatchParts
from operators.matching.patch_segmenter import PatchSegmenter
from operators.matching.person import overlap, subject_of
from schemas.attributes import Department
from schemas.looks import Region
from tests.doubles import StoredPictures
from tests.matching.example_looks import CALIBRATION, KNOWN, URL, layer, look, match
from tests.matching.painted import (
    BOOTS,
    JEANS,
    RED_SHIRT,
    SUNDRESS,
    PaintEncoder,
    add_product,
    painting,
)

LEFT = Region(x0=0.05, y0=0.1, x1=0.3, y1=0.9)
RIGHT = Region(x0=0.6, y0=0.05, x1=0.95, y1=0.95)
WIDE = (360, 120)
TWO_PEOPLE = painting(
    (RED_SHIRT, (20, 20, 60, 60)),
    (JEANS, (25, 60, 55, 100)),
    (BOOTS, (20, 100, 60, 118)),
    (SUNDRESS, (260, 8, 340, 110)),
    (BOOTS, (270, 108, 330, 118)),
    size=WIDE,
)


def segmenter() -> PatchSegmenter:
    return PatchSegmenter(PaintEncoder(), KNOWN, CALIBRATION)


@pytest.fixture
async def two_people(parts: MatchParts) -> MatchParts:
    """A shop that sells what both people at URL wear."""
    await add_product(
        parts.index, parts.ledger, "a:sundress", "green dress floral sundress yellow flowers"
    )
    return replace(parts, pictures=StoredPictures({URL: TWO_PEOPLE}), person_finder=segmenter())


async def test_people_are_found_apart_from_each_other() -> None:
    people = sorted(await segmenter().find_people(TWO_PEOPLE), key=lambda one: one.x0)
    assert len(people) == 2
    assert overlap(people[0], Region(x0=20 / 360, y0=20 / 120, x1=60 / 360, y1=118 / 120)) > 0.5
    assert overlap(people[1], Region(x0=260 / 360, y0=8 / 120, x1=340 / 360, y1=118 / 120)) > 0.5


async def test_nobody_is_found_before_an_empty_wall() -> None:
    assert await segmenter().find_people(painting()) == []


async def test_the_largest_person_is_matched(two_people: MatchParts) -> None:
    event = await match(look(), two_people)
    assert {one.layer for one in event.layers} == {Department.DRESS, Department.FOOTWEAR}
    assert event.person is not None
    assert event.person.x0 > 0.6


async def test_the_person_asked_for_is_matched(two_people: MatchParts) -> None:
    event = await match(look(person=Region(x0=0, y0=0, x1=0.3, y1=1)), two_people)
    worn = {one.layer for one in event.layers}
    assert worn == {Department.TOP, Department.BOTTOM, Department.FOOTWEAR}
    assert event.person is not None
    assert event.person.x1 < 0.3


async def test_regions_are_of_the_whole_picture(two_people: MatchParts) -> None:
    event = await match(look(), two_people)
    region = layer(event, Department.DRESS).region
    assert region is not None
    assert overlap(region, Region(x0=260 / 360, y0=8 / 120, x1=340 / 360, y1=110 / 120)) > 0.6


async def test_without_a_person_the_whole_picture_is_matched(parts: MatchParts) -> None:
    class Nobody:
        async def find_people(self, image: Image.Image) -> list[Region]:
            return []

    event = await match(look(), replace(parts, person_finder=Nobody()))
    assert event.person is None
    assert Department.TOP in {one.layer for one in event.layers}


def test_of_several_people_the_one_nearest_to_the_region_asked_for_is_taken() -> None:
    picture = Image.new("RGB", (300, 100))
    just_left = Region(x0=0.31, y0=0.4, x1=0.33, y1=0.6)
    assert subject_of(picture, [RIGHT, LEFT], None).person == RIGHT
    assert subject_of(picture, [RIGHT, LEFT], LEFT).person == LEFT
    assert subject_of(picture, [RIGHT, LEFT], just_left).person == LEFT


def test_a_person_who_fills_the_picture_is_not_cropped() -> None:
    picture = Image.new("RGB", (200, 300), (255, 255, 255))
    subject = subject_of(picture, [Region(x0=0.1, y0=0.05, x1=0.9, y1=0.98)], None)
    assert subject.image is picture


def test_a_narrow_person_is_cropped_like_a_portrait() -> None:
    picture = Image.new("RGB", (900, 600), (255, 255, 255))
    subject = subject_of(picture, [Region(x0=0.48, y0=0.1, x1=0.52, y1=0.6)], None)
    width, height = subject.image.size
    assert height == pytest.approx(300 * 1.26, abs=2)
    assert width == pytest.approx(height * 2 / 3, abs=2)
    inner = subject.region_in_look(Region(x0=0.0, y0=0.0, x1=1.0, y1=1.0))
    assert inner.x0 == pytest.approx(0.5 - width / 1800, abs=0.01)
    assert inner.y0 == pytest.approx(0.1 - 18 / 600, abs=0.01)
