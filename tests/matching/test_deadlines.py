"""The event of a look when a stage takes longer than its budget."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from operators.matching.parts import MatchParts
from operators.picture import WHOLE, Wanted
from operators.ports import Candidate, Filters, Picture, Vector
from schemas.attributes import Department
from schemas.errors import DeadlineExceeded, Unavailable
from schemas.looks import ImageReference
from tests.doubles import (
    InMemoryIndex,
    StoredPictures,
)
from tests.matching.example_looks import (
    URL,
    keys,
    layer,
    look,
    match,
)
from tests.matching.painted import outfit, painting
from tests.matching.scripted_model import ScriptedModel

VIRTUAL_TIME = True


class SlowPictures(StoredPictures):
    async def fetch(
        self, reference: ImageReference, vendor: str | None = None, wanted: Wanted = WHOLE
    ) -> Picture:
        await asyncio.sleep(10)
        return await super().fetch(reference, vendor, wanted)


async def test_a_picture_that_is_too_slow_ends_in_a_refusal(parts: MatchParts) -> None:
    slow = SlowPictures({URL: outfit()})
    event = await match(look(), replace(parts, pictures=slow), seconds=0.05)
    assert (event.refused, event.degraded) == ("deadline", ("look:deadline",))


async def test_a_late_layer_does_not_affect_the_others(parts: MatchParts) -> None:
    class SlowForTops(InMemoryIndex):
        async def search(self, vector: Vector, filters: Filters, limit: int) -> list[Candidate]:
            if filters.department == "top":
                await asyncio.sleep(10)
            return await super().search(vector, filters, limit)

    slow = SlowForTops()
    assert isinstance(parts.index, InMemoryIndex)
    slow.objects = parts.index.objects
    event = await match(look(), replace(parts, index=slow), seconds=1.5)
    assert event.degraded == ("layer:deadline",)
    late = layer(event, Department.TOP)
    assert late.abstained == "deadline"
    assert late.region == layer(await match(look(), parts), Department.TOP).region is not None
    assert keys(layer(event, Department.BOTTOM)) == ["a:jeans"]


@pytest.mark.parametrize(
    ("failure", "cause"),
    [
        (Unavailable("the model server is down"), "unavailable"),
        (DeadlineExceeded("too slow"), "deadline"),
        (None, "deadline"),
    ],
)
async def test_without_the_language_model_the_tagger_describes_and_similarity_ranks(
    parts: MatchParts, failure: Exception | None, cause: str
) -> None:
    for key in ("a:shirt", "a:blouse", "a:t-shirt", "a:jeans", "a:boots"):
        await parts.thumbnails.put(key, painting(size=(20, 20)))
    vlm = ScriptedModel(failure, failure)
    event = await match(look(), replace(parts, vlm=vlm), seconds=1.5)
    assert set(event.degraded) == {f"describe:{cause}", f"rerank:{cause}"}
    assert layer(event, Department.TOP).query == "red striped shirt with white stripes"
    assert keys(layer(event, Department.TOP))[0] == "a:shirt"
