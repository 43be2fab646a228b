"""Which part says where a layer is, and what happens when none can."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL.Image import Image

from operators.matching.parts import MatchParts
from operators.ports import LayerDescription, Located, Segment
from schemas.attributes import Department
from schemas.errors import DeadlineExceeded, Unavailable
from schemas.looks import Region
from schemas.rerank import RerankMethod
from schemas.settings import MatchingSettings
from tests.matching.example_looks import keys, layer, lenient, look, match
from tests.matching.painted import PaintEncoder
from tests.matching.scripted_model import ScriptedModel

TOP, BOTTOM = Department.TOP, Department.BOTTOM
SHIRT_BOX = Region(x0=0.25, y0=1 / 6, x1=0.75, y1=0.5)
JEANS_BOX = Region(x0=0.3125, y0=0.5, x1=0.6875, y1=5 / 6)
NOWHERE = Region(x0=0.0, y0=0.0, x1=0.01, y1=1.0)
"""A line at the edge of the picture."""


def says(**regions: Region | None) -> dict[Department, LayerDescription]:
    """What a model says of the top and the bottom, and where they are."""
    queries = {"top": "red striped shirt", "bottom": "blue solid jeans"}
    return {
        Department(name): LayerDescription(queries[name], {}, region)
        for name, region in regions.items()
    }


class PatchSegmenterDouble:
    """Finds everything asked for at one place, and records what it was asked for."""

    fingerprint = "double"

    def __init__(self) -> None:
        self.asked: list[tuple[Department, ...]] = []

    async def locate(self, image: Image, layers: Sequence[Department]) -> dict[Department, Located]:
        self.asked.append(tuple(layers))
        return {department: Located(JEANS_BOX, 0.9) for department in layers}


class QuerySegmenterDouble:
    """Finds the jeans by their query."""

    fingerprint = "double"

    def __init__(self, error: Exception | None = None) -> None:
        self.asked: list[Mapping[Department, str]] = []
        self._error = error

    async def segment(
        self, image: Image, queries: Mapping[Department, str]
    ) -> dict[Department, Segment]:
        self.asked.append(queries)
        if self._error is not None:
            raise self._error
        mask = np.ones((image.height, image.width), dtype=np.bool_)
        return {
            d: Segment(JEANS_BOX, mask, 0.8) for d, query in queries.items() if "jeans" in query
        }


class AttentionEncoder(PaintEncoder):
    """Has no patches that could be compared with words, as SigLIP."""

    finds_layers = False

    async def encode_patches(self, image: Image) -> Any:
        raise AssertionError("has no patches")


class ImageEncoder(AttentionEncoder):
    """Reads no text, as DINOv2."""

    reads_text = False

    async def encode_text(self, text: str) -> Any:
        raise AssertionError("reads no text")


def by_similarity(parts: MatchParts) -> MatchingSettings:
    """The model describes, and does not judge."""
    return lenient(parts).model_copy(update={"rerank": RerankMethod.SIMILARITY})


def with_boxes(parts: MatchParts, **regions: Region | None) -> MatchParts:
    """The model says where layers are."""
    model = ScriptedModel(says(**regions), finds_layers=True)
    return replace(parts, vlm=model, settings=by_similarity(parts))


def without_patches(parts: MatchParts, encoder: PaintEncoder | None = None) -> MatchParts:
    return replace(parts, encoder=encoder or AttentionEncoder(), segmenter=None)


async def test_a_models_boxes_are_the_regions_and_patches_are_not_computed(
    parts: MatchParts,
) -> None:
    patches = PatchSegmenterDouble()
    boxes = with_boxes(replace(parts, segmenter=patches), top=SHIRT_BOX, bottom=JEANS_BOX)
    event = await match(look(), boxes)
    assert {one.layer: one.region for one in event.layers} == {TOP: SHIRT_BOX, BOTTOM: JEANS_BOX}
    assert keys(layer(event, TOP))[0] == "a:shirt"
    assert patches.asked == []


@pytest.mark.parametrize("box", [None, NOWHERE], ids=["no box", "tiny box"])
async def test_only_layers_without_a_usable_box_are_found_by_patches(
    parts: MatchParts, box: Region | None
) -> None:
    patches = PatchSegmenterDouble()
    boxes = with_boxes(replace(parts, segmenter=patches), top=SHIRT_BOX, bottom=box)
    event = await match(look(), boxes)
    assert layer(event, TOP).region == SHIRT_BOX
    assert layer(event, BOTTOM).region == JEANS_BOX
    assert patches.asked == [(BOTTOM,)]


async def test_without_the_models_answer_all_layers_are_found_by_patches(
    parts: MatchParts,
) -> None:
    model = ScriptedModel(Unavailable("away"), finds_layers=True)
    event = await match(look(), replace(parts, vlm=model, settings=by_similarity(parts)))
    assert TOP in {one.layer for one in event.layers}
    assert event.degraded == ("describe:unavailable",)


async def test_an_encoder_without_patches_needs_only_the_models_boxes(parts: MatchParts) -> None:
    event = await match(look(), with_boxes(without_patches(parts), top=SHIRT_BOX, bottom=JEANS_BOX))
    assert keys(layer(event, TOP))[0] == "a:shirt"
    assert keys(layer(event, BOTTOM)) == ["a:jeans"]
    assert event.degraded == ()


async def test_the_query_segmenter_finds_what_has_no_box(parts: MatchParts) -> None:
    segmenter = QuerySegmenterDouble()
    parts = replace(without_patches(parts), query_segmenter=segmenter)
    event = await match(look(), with_boxes(parts, top=SHIRT_BOX, bottom=None))
    assert layer(event, BOTTOM).region == JEANS_BOX
    assert segmenter.asked == [{BOTTOM: "blue solid jeans"}]


async def test_a_layer_that_nobody_finds_is_searched_by_its_words(parts: MatchParts) -> None:
    away = QuerySegmenterDouble(Unavailable("away"))
    parts = replace(without_patches(parts), query_segmenter=away)
    event = await match(look(), with_boxes(parts, bottom=None))
    jeans = layer(event, BOTTOM)
    assert (jeans.region, keys(jeans)) == (None, ["a:jeans"])
    assert event.degraded == ("segment:unavailable",)


async def test_without_the_only_finder_the_look_is_tried_again(parts: MatchParts) -> None:
    model = ScriptedModel(Unavailable("away"), finds_layers=True)
    with pytest.raises(Unavailable):
        await match(look(), replace(without_patches(parts), vlm=model))


async def test_a_finder_that_is_late_costs_the_look(parts: MatchParts) -> None:
    model = ScriptedModel(DeadlineExceeded("late"), finds_layers=True)
    event = await match(look(), replace(without_patches(parts), vlm=model))
    assert event.refused == "deadline-exceeded"


async def test_an_encoder_that_reads_no_text_is_queried_by_the_region(parts: MatchParts) -> None:
    parts = replace(without_patches(parts, ImageEncoder()), tagger=None)
    event = await match(look(), with_boxes(parts, top=SHIRT_BOX, bottom=None))
    assert keys(layer(event, TOP))[0] == "a:shirt"
    assert layer(event, BOTTOM).abstained == "nothing-found"
    assert event.degraded == ("regions:not-found",)


class TopParser(PatchSegmenterDouble):
    """Finds tops only."""

    async def locate(self, image: Image, layers: Sequence[Department]) -> dict[Department, Located]:
        found = await super().locate(image, layers)
        return {TOP: Located(SHIRT_BOX, 0.9)} if TOP in found else {}


async def test_the_query_segmenter_finds_what_the_parser_has_not_found(parts: MatchParts) -> None:
    query_segmenter = QuerySegmenterDouble()
    parts = replace(parts, segmenter=TopParser(), query_segmenter=query_segmenter)
    event = await match(look(), with_boxes(parts, top=None, bottom=None))
    assert layer(event, TOP).region == SHIRT_BOX
    assert layer(event, BOTTOM).region == JEANS_BOX
    assert query_segmenter.asked == [{BOTTOM: "blue solid jeans"}]


async def test_where_nobody_reads_text_the_model_describes_what_the_parser_finds(
    parts: MatchParts,
) -> None:
    parts = replace(parts, encoder=ImageEncoder(), tagger=None, segmenter=TopParser())
    model = ScriptedModel(says(top=None))
    event = await match(look(), replace(parts, vlm=model, settings=by_similarity(parts)))
    assert layer(event, TOP).region == SHIRT_BOX
    with pytest.raises(Unavailable):
        await match(look(), replace(parts, vlm=ScriptedModel(Unavailable("away"))))
