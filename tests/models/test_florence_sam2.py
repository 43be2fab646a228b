"""Segmentation by query on tiny checkpoints with trained grounding and random masks."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from operators.matching.segment_crops import masked_crop, segment_vectors
from operators.models.florence_sam2 import FlorenceSam2
from operators.models.load_encoder import load_encoder
from operators.models.placement import Placement
from schemas.attributes import Department
from schemas.errors import Misconfigured
from schemas.settings import EncoderSettings
from tests.models.tiny_segmenters import write_florence, write_sam2

ANSWERS = {
    "navy jeans": "navy jeans<loc_200><loc_500><loc_599><loc_899>",
    "boots": "boots<loc_100><loc_900><loc_299><loc_999><loc_600><loc_900><loc_799><loc_999>",
    "red hat": "red hat<loc_700><loc_300><loc_600><loc_100>",
    "grey bag": "bag",
    "black coat": "coat<loc_500><loc_500><loc_500><loc_500>",
}
"""Query -> the tiny Florence's answer: one box, two, swapped corners, none, one without area."""


# The fixture trains for seconds, on a busy machine for minutes.
pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def florence(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    threads = torch.get_num_threads()
    # A second thread does not speed up so small a model, and slows it down on a busy machine.
    torch.set_num_threads(1)
    yield write_florence(tmp_path_factory.mktemp("florence"), ANSWERS)
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def sam2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sam2(tmp_path_factory.mktemp("sam2"))


@pytest_asyncio.fixture
async def segmenter(florence: Path, sam2: Path) -> AsyncIterator[FlorenceSam2]:
    segmenter = FlorenceSam2.load(str(florence), str(sam2), device="cpu")
    yield segmenter
    await segmenter.close()


def look(width: int = 100, height: int = 150) -> Image.Image:
    pixels = np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def biased(sam2: Path, folder: Path, bias: float) -> Path:
    """A copy of ``sam2`` that adds ``bias`` times 1e4 to every mask value: all or nothing."""
    folder.mkdir()
    for file in sam2.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    weights = load_file(folder / "model.safetensors")
    for name in list(weights):
        # A mask is the product of the tokens' and the upscaled picture's features. Both become
        # constant here, so that their product has the sign of the bias.
        if "output_hypernetworks_mlps" in name and "proj_out" in name:
            weights[name] = torch.full_like(weights[name], 0.0 if "weight" in name else bias)
        if name.endswith("upscale_conv2.weight"):
            weights[name] = torch.zeros_like(weights[name])
        if name.endswith(("upscale_conv2.bias", "conv_s0.bias")):
            weights[name] = torch.ones_like(weights[name])
        if name.endswith("conv_s0.weight"):
            weights[name] = torch.zeros_like(weights[name])
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


async def test_a_segment_has_a_mask_of_the_pictures_size(segmenter: FlorenceSam2) -> None:
    picture = look()
    segments = await segmenter.segment(
        picture, {Department.BOTTOM: "navy jeans", Department.FOOTWEAR: "boots"}
    )
    assert set(segments) == {Department.BOTTOM, Department.FOOTWEAR}
    for segment in segments.values():
        assert segment.mask.shape == (picture.height, picture.width)
        assert segment.mask.dtype == np.bool_
        assert 0 <= segment.confidence <= 1
        rows, columns = np.nonzero(segment.mask)
        region = segment.region
        assert region.x0 * picture.width == pytest.approx(columns.min())
        assert region.x1 * picture.width == pytest.approx(columns.max() + 1)
        assert region.y0 * picture.height == pytest.approx(rows.min())
        assert region.y1 * picture.height == pytest.approx(rows.max() + 1)


async def test_queries_not_found_are_left_out(segmenter: FlorenceSam2) -> None:
    nothing = {Department.BAG: "grey bag", Department.OUTERWEAR: "black coat"}
    assert await segmenter.segment(look(), nothing) == {}
    assert await segmenter.segment(look(), {}) == {}
    both = nothing | {Department.BOTTOM: "navy jeans"}
    assert set(await segmenter.segment(look(), both)) == {Department.BOTTOM}


async def test_boxes_replace_an_empty_mask(florence: Path, sam2: Path, tmp_path: Path) -> None:
    blind = biased(sam2, tmp_path / "blind", -1.0)
    segmenter = FlorenceSam2.load(str(florence), str(blind), device="cpu")
    queries = {
        Department.BOTTOM: "navy jeans",
        Department.FOOTWEAR: "boots",
        Department.HEADWEAR: "red hat",
    }
    segments = await segmenter.segment(look(100, 100), queries)
    jeans = segments[Department.BOTTOM]
    assert jeans.confidence == 0
    assert jeans.mask[50:89, 20:59].all()
    assert jeans.mask.sum() == jeans.mask[50:90, 20:60].sum()
    boots = segments[Department.FOOTWEAR].mask
    assert boots[95, 20]
    assert boots[95, 70]
    assert not boots[95, 45], "two boots, and nothing between them"
    hat = segments[Department.HEADWEAR].region
    assert hat.x0 == pytest.approx(0.6)
    assert hat.y0 == pytest.approx(0.1)
    await segmenter.close()


async def test_a_mask_may_cover_the_whole_picture(
    florence: Path, sam2: Path, tmp_path: Path
) -> None:
    greedy = biased(sam2, tmp_path / "greedy", 1.0)
    segmenter = FlorenceSam2.load(str(florence), str(greedy), device="cpu")
    segment = (await segmenter.segment(look(), {Department.BOTTOM: "navy jeans"}))[
        Department.BOTTOM
    ]
    assert segment.mask.all()
    region = segment.region
    assert (region.x0, region.y0, region.x1, region.y1) == (0, 0, 1, 1)
    await segmenter.close()


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3)])
@pytest.mark.parametrize("mode", ["L", "RGBA"])
async def test_any_picture_is_segmented(
    segmenter: FlorenceSam2, size: tuple[int, int], mode: str
) -> None:
    segments = await segmenter.segment(
        Image.new(mode, size), {Department.BOTTOM: "navy jeans", Department.FOOTWEAR: "boots"}
    )
    for segment in segments.values():
        assert segment.mask.shape == size[::-1]
        assert segment.mask.any()


async def test_a_segment_is_embedded_on_white(florence: Path, sam2: Path, tmp_path: Path) -> None:
    blind = biased(sam2, tmp_path / "boxes", -1.0)
    segmenter = FlorenceSam2.load(str(florence), str(blind), device="cpu")
    encoder = load_encoder(EncoderSettings(model="sandbox-clip", device="cpu", threads=1))
    inside = Image.new("RGB", (100, 100), "black")
    inside.paste("navy", (20, 50, 60, 90))
    outside = Image.new("RGB", (100, 100), "yellow")
    outside.paste("navy", (20, 50, 60, 90))
    asked = {Department.BOTTOM: "navy jeans", Department.BAG: "grey bag"}
    one = await segment_vectors(inside, asked, segmenter, encoder)
    other = await segment_vectors(outside, asked, segmenter, encoder)
    assert set(one) == {Department.BOTTOM}
    np.testing.assert_allclose(one[Department.BOTTOM], other[Department.BOTTOM], atol=1e-5)

    segment = (await segmenter.segment(inside, asked))[Department.BOTTOM]
    crop = np.asarray(masked_crop(inside, segment))
    assert crop.shape[0] == crop.shape[1]
    assert {tuple(pixel) for pixel in crop.reshape(-1, 3)} == {(0, 0, 128), (255, 255, 255)}
    await segmenter.close()
    await encoder.close()


async def test_looks_may_be_segmented_concurrently(segmenter: FlorenceSam2) -> None:
    asked = {Department.BOTTOM: "navy jeans"}
    several = await asyncio.gather(*(segmenter.segment(look(), asked) for _ in range(3)))
    for segments in several:
        np.testing.assert_array_equal(
            segments[Department.BOTTOM].mask, several[0][Department.BOTTOM].mask
        )


async def test_half_precision_finds_the_same_boxes(
    florence: Path, sam2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = Placement(torch.device("cpu"), torch.bfloat16)
    monkeypatch.setattr(Placement, "choose", lambda device: half)
    segmenter = FlorenceSam2.load(str(florence), str(sam2))
    segments = await segmenter.segment(
        look(), {Department.BOTTOM: "navy jeans", Department.BAG: "grey bag"}
    )
    assert set(segments) == {Department.BOTTOM}
    await segmenter.close()


def test_missing_models_are_refused(florence: Path, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="Sam2Model"):
        FlorenceSam2.load(str(florence), str(tmp_path), device="cpu")
    with pytest.raises(Misconfigured, match="Florence2"):
        FlorenceSam2.load(str(tmp_path), str(tmp_path), device="cpu")
