"""When the model cannot judge a layer's products, the layer is cut out and likeness decides."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from PIL.Image import Image
from test_match import keys, layer, look, match, parts, taxonomy  # noqa: F401  the fixtures

from operators.budget import Budget
from operators.matching.parts import MatchParts
from operators.ports import LayerDescription, Picture, Segment
from schemas.attributes import Department
from schemas.errors import DeadlineExceeded, Unavailable
from schemas.looks import Region
from schemas.rerank import RerankMethod

SECONDS = 2.0
QUERY = "red striped shirt with white stripes"
BY_SQUARE, BY_SEGMENT = "a:shirt", "a:t-shirt"
"""First for the painted square; first for what the cutter below cuts out, which is blue."""

Answer = Callable[[Sequence[bytes]], Awaitable[list[float | None]]]


class Judge:
    """Describes the top; judges as it is told to."""

    fingerprint = "judge"

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


class Cutter:
    """Cuts out the jeans, whatever is asked; the queries it was asked for are kept."""

    def __init__(self, *, finds: bool = True, fails: Exception | None = None) -> None:
        self.asked: list[str] = []
        self._finds, self._fails = finds, fails

    async def segment(
        self, image: Image, queries: Mapping[Department, str]
    ) -> dict[Department, Segment]:
        self.asked += queries.values()
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


async def says_nothing(candidates: Sequence[bytes]) -> list[float | None]:
    return [None] * len(candidates)


async def judges(candidates: Sequence[bytes]) -> list[float | None]:
    return [0.9 - 0.1 * n for n in range(len(candidates))]


async def with_parts(
    parts: MatchParts,  # noqa: F811
    answer: Answer,
    cutter: Cutter | None,
) -> MatchParts:
    picture = (await parts.pictures.fetch(look().image)).image
    for key in ("a:shirt", "a:blouse", "a:t-shirt"):
        await parts.thumbnails.put(key, picture)
    settings = parts.settings.model_copy(update={"abstain_below": 0.0, "attribute_weight": 0.0})
    return replace(parts, vlm=Judge(answer), cutter=cutter, settings=settings)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (refuses, "rerank:unavailable"),
        (hangs, "rerank:deadline"),
        (says_nothing, "rerank:no-answer"),
    ],
)
async def test_the_cut_out_layer_decides_in_time(
    parts: MatchParts,  # noqa: F811
    answer: Answer,
    told: str,
) -> None:
    cutter = Cutter()
    began = time.monotonic()
    event = await match(look(), await with_parts(parts, answer, cutter), seconds=SECONDS)
    assert time.monotonic() - began <= 1.1 * SECONDS
    assert event.degraded == (told,)
    assert cutter.asked == [QUERY]
    assert keys(layer(event, Department.TOP))[0] == BY_SEGMENT


@pytest.mark.parametrize(
    ("cutter", "told"),
    [
        (None, ()),
        (Cutter(finds=False), ("segment:not-found",)),
        (Cutter(fails=Unavailable("none", reason="gone")), ("segment:unavailable",)),
        (Cutter(fails=DeadlineExceeded("late")), ("segment:deadline",)),
    ],
)
async def test_without_a_cut_out_the_square_decides(
    parts: MatchParts,  # noqa: F811
    cutter: Cutter | None,
    told: tuple[str, ...],
) -> None:
    event = await match(look(), await with_parts(parts, refuses, cutter))
    assert event.degraded == ("rerank:unavailable", *told)
    assert keys(layer(event, Department.TOP))[0] == BY_SQUARE


async def test_nothing_is_cut_out_when_the_model_judges(parts: MatchParts) -> None:  # noqa: F811
    cutter = Cutter()
    event = await match(look(), await with_parts(parts, judges, cutter))
    assert (event.degraded, cutter.asked) == ((), [])
