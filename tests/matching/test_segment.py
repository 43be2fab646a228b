"""Layers located by patches, in a world whose patches are unambiguous."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from operators.matching.calibration import Calibration
from operators.matching.heat import Heat, windows
from operators.matching.patch_segmenter import (
    FAINT,
    FLOOR,
    SURROUNDINGS,
    Evidence,
    PatchSegmenter,
)
from operators.ports import Located
from schemas.attributes import Department
from schemas.looks import Region
from tests.matching.painted import BOOTS, JEANS, RED_SHIRT, SUNDRESS, PaintEncoder, outfit, painting

KNOWN = (Department.TOP, Department.BOTTOM, Department.DRESS, Department.FOOTWEAR)


async def present(picture: Image.Image) -> dict[Department, Located]:
    segmenter = PatchSegmenter(PaintEncoder(), KNOWN, Calibration(patch_scale=20))
    located = await segmenter.locate(picture, tuple(Department))
    return {department: place for department, place in located.items() if place.confidence >= 0.5}


async def test_every_layer_is_found_where_it_is() -> None:
    found = await present(outfit())
    assert set(found) == {Department.TOP, Department.BOTTOM, Department.FOOTWEAR}
    top = found[Department.TOP].region
    found_box, true_box = (top.x0, top.x1, top.y0, top.y1), (0.25, 0.75, 1 / 6, 0.5)
    assert found_box == pytest.approx(true_box, abs=0.06)


async def test_a_dress_is_not_a_top_and_a_bottom() -> None:
    found = await present(painting((SUNDRESS, (20, 20, 60, 100)), (BOOTS, (20, 100, 60, 118))))
    assert set(found) == {Department.DRESS, Department.FOOTWEAR}


async def test_a_patch_of_another_garment_does_not_make_a_dress_of_top_and_bottom() -> None:
    picture = painting(
        (RED_SHIRT, (20, 20, 60, 60)), (JEANS, (25, 60, 55, 100)), (SUNDRESS, (0, 0, 10, 10))
    )
    assert set(await present(picture)) == {Department.TOP, Department.BOTTOM}


async def test_only_requested_layers_are_returned() -> None:
    segmenter = PatchSegmenter(PaintEncoder(), KNOWN, Calibration(patch_scale=20))
    found = await segmenter.locate(outfit(), (Department.TOP, Department.WATCH))
    assert set(found) == {Department.TOP}


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (700, 1), (8, 8), (333, 17)])
async def test_an_empty_picture_has_no_layers(size: tuple[int, int]) -> None:
    assert await present(painting(size=size)) == {}


async def evidence_of_top(heat: Heat) -> Evidence:
    segmenter = PatchSegmenter(PaintEncoder(), KNOWN, Calibration(patch_scale=20))
    classes = np.zeros((len(KNOWN) + len(SURROUNDINGS), *heat.shape))
    classes[KNOWN.index(Department.TOP)] = heat
    classes[-1] = 1 - heat
    return (await segmenter.evidence(outfit(), classes, one_piece=False))[Department.TOP]


async def test_a_department_without_heat_has_the_whole_picture_and_no_evidence() -> None:
    found = await evidence_of_top(np.zeros((60, 40)))
    whole = Region(x0=0, y0=0, x1=1, y1=1)
    assert found == Evidence(whole, 0.0, 0.0, 0.0, float(np.log(FLOOR)))


@pytest.mark.parametrize(("stray", "end"), [(1, 0.5), (8, 1.0)])
async def test_a_box_leaves_out_stray_cells_and_no_more(stray: int, end: float) -> None:
    """Of 400 hot cells one is stray, 8 (2 %) are not."""
    heat = np.zeros((60, 40))
    heat[10:30, :20] = FAINT / 2
    heat[10 : 10 + stray, -1] = FAINT / 2
    found = await evidence_of_top(heat)
    assert found.region == Region(x0=0, y0=10 / 60, x1=end, y1=0.5)


@pytest.mark.parametrize("size", [(256, 384), (384, 256), (100, 100), (1, 1000), (1000, 1), (7, 3)])
def test_windows_cover_the_picture_and_are_few(size: tuple[int, int]) -> None:
    sizes = windows(*size)
    assert sum(map(len, sizes)) <= 60
    corners = [(0.5, 0.5), (size[0] - 0.5, 0.5), (0.5, size[1] - 0.5)]
    for x, y in [*corners, (size[0] / 2, size[1] / 2)]:
        for squares in sizes:
            assert any(s.x <= x <= s.x + s.side and s.y <= y <= s.y + s.side for s in squares)


async def test_a_stripe_at_the_pictures_edge_is_no_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    sure = Evidence(Region(x0=0, y0=0, x1=1, y1=1), peak=1, closer=1, area=1, likeness=0)
    stripe = Region(x0=0, y0=0.999, x1=1, y1=1)
    found = {Department.TOP: sure, Department.FOOTWEAR: replace(sure, region=stripe)}

    async def evidence(*_: object) -> dict[Department, Evidence]:
        return found

    monkeypatch.setattr(PatchSegmenter, "evidence", evidence)
    segmenter = PatchSegmenter(PaintEncoder(), KNOWN, Calibration(patch_scale=20))
    assert set(await segmenter.locate(outfit(), KNOWN)) == {Department.TOP}
