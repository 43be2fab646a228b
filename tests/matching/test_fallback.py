"""When the model cannot judge a layer's products, the layer's segment orders them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from PIL.Image import Image

from operators.budget import Budget
from operators.matching.parts import MatchParts
from operators.ports import LayerDescription, Picture, Segment
from schemas.attributes import Department
from schemas.errors import DeadlineExceeded, Unavailable
from schemas.looks import Region
from schemas.rerank import RerankMethod
from tests.matching.example_looks import keys, layer, look, match

VIRTUAL_TIME = True
SECONDS = 2.0
QUERY = "red striped shirt with white stripes"
BY_SQUARE, BY_SEGMENT = "a:shirt", "a:t-shirt"
"""Best by the painted square; best by what the segmenter below finds, which is blue."""

Answer = Callable[[Sequence[bytes]], Awaitable[list[float | None]]]


class Judge:
    """Describes the top; judges by ``answer``."""

    fingerprint = "judge"
    finds_layers = False

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def describe(
        self, pictures: Sequence[Picture], budget: Budget
    ) -> dict[Department, LayerDescription]:
        return {Department.TOP: LayerDescription(QUERY, {"category": "shirt"})}

    async def rerank(
        self,
        method: RerankMethod,
        query: str,
        region: Image,
        candidates: Sequence[bytes],
        budget: Budget,
    ) -> list[float | None]:
        return await self._answer(candidates)


class JeansSegmenter:
    """Finds the jeans, whatever the query; records the queries."""

    fingerprint = "jeans"

    def __init__(
        self, *, finds: bool = True, fails: Exception | None = None, hangs: bool = False
    ) -> None:
        self.queries: list[str] = []
        self._finds, self._fails, self._hangs = finds, fails, hangs

    async def segment(
        self, image: Image, queries: Mapping[Department, str]
    ) -> dict[Department, Segment]:
        self.queries += queries.values()
        if self._hangs:
            await asyncio.sleep(60)
        if self._fails is not None:
            raise self._fails
        if not self._finds:
            return {}
        mask = np.zeros((image.height, image.width), np.bool_)
        mask[60:100, 25:55] = True
        region = Region(x0=25 / 80, y0=60 / 120, x1=55 / 80, y1=100 / 120)
        return {department: Segment(region, mask, 0.9) for department in queries}


async def refuses(candidates: Sequence[bytes]) -> list[float | None]:
    raise Unavailable("down", reason="connection")


async def hangs(candidates: Sequence[bytes]) -> list[float | None]:
    await asyncio.sleep(60)
    return []


async def gives_no_answer(candidates: Sequence[bytes]) -> list[float | None]:
    return [None] * len(candidates)


async def judges(candidates: Sequence[bytes]) -> list[float | None]:
    return [0.9 - 0.1 * n for n in range(len(candidates))]


async def with_judge(
    parts: MatchParts, answer: Answer, segmenter: JeansSegmenter | None
) -> MatchParts:
    picture = (await parts.pictures.fetch(look().image)).image
    for key in ("a:shirt", "a:blouse", "a:t-shirt"):
        await parts.thumbnails.put(key, picture)
    settings = parts.settings.model_copy(update={"abstain_below": 0.0, "attribute_weight": 0.0})
    return replace(parts, vlm=Judge(answer), query_segmenter=segmenter, settings=settings)


@pytest.mark.parametrize(
    ("answer", "degradation"),
    [
        (refuses, "rerank:unavailable"),
        (hangs, "rerank:deadline"),
        (gives_no_answer, "rerank:no-answer"),
    ],
)
async def test_the_segment_orders_the_products_within_the_budget(
    parts: MatchParts, answer: Answer, degradation: str
) -> None:
    segmenter = JeansSegmenter()
    clock = asyncio.get_running_loop().time
    deadline = clock() + SECONDS
    event = await match(look(), await with_judge(parts, answer, segmenter), seconds=SECONDS)
    assert clock() < deadline
    assert event.degraded == (degradation,)
    assert segmenter.queries == [QUERY]
    assert keys(layer(event, Department.TOP))[0] == BY_SEGMENT


@pytest.mark.parametrize(
    ("segmenter", "degradations"),
    [
        (None, ()),
        (JeansSegmenter(finds=False), ("segment:not-found",)),
        (JeansSegmenter(fails=Unavailable("none", reason="gone")), ("segment:unavailable",)),
        (JeansSegmenter(fails=DeadlineExceeded("late")), ("segment:deadline",)),
        (JeansSegmenter(hangs=True), ("segment:deadline",)),
    ],
)
async def test_without_a_segment_the_square_orders_the_products(
    parts: MatchParts, segmenter: JeansSegmenter | None, degradations: tuple[str, ...]
) -> None:
    event = await match(look(), await with_judge(parts, refuses, segmenter))
    assert event.degraded == ("rerank:unavailable", *degradations)
    assert keys(layer(event, Department.TOP))[0] == BY_SQUARE


async def test_a_model_that_hangs_and_a_segmenter_that_hangs_leave_time_for_the_square(
    parts: MatchParts,
) -> None:
    segmenter = JeansSegmenter(hangs=True)
    event = await match(look(), await with_judge(parts, hangs, segmenter), seconds=SECONDS)
    assert event.degraded == ("rerank:deadline", "segment:deadline")
    assert keys(layer(event, Department.TOP))[0] == BY_SQUARE


async def test_nothing_is_segmented_when_the_model_judges(parts: MatchParts) -> None:
    segmenter = JeansSegmenter()
    event = await match(look(), await with_judge(parts, judges, segmenter))
    assert (event.degraded, segmenter.queries) == ((), [])
