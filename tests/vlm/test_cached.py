"""The cache of a model's answers: one call per question, and no failure because of the cache."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from PIL import Image

from operators.budget import Budget
from operators.models.vlm.cached import CachedVisionModel
from operators.ports import LayerDescription, Picture
from schemas.attributes import Department
from schemas.errors import Unavailable
from schemas.rerank import RerankMethod
from tests.doubles import InMemoryCache

REGION = Image.new("RGB", (4, 4))
TOP = {Department.TOP: LayerDescription("red striped shirt", {"colour": "red"})}
LIKELIHOOD, POINTWISE = RerankMethod.LIKELIHOOD, RerankMethod.POINTWISE


class RecordingModel:
    """Records its calls; a candidate's score is a tenth of its length, None if it is empty."""

    def __init__(self, fingerprint: str = "model/prompts") -> None:
        self.fingerprint = fingerprint
        self.finds_layers = True
        self.described: list[str] = []
        self.scored: list[bytes] = []
        self.down = False

    async def describe(
        self, pictures: Sequence[Picture], budget: Budget
    ) -> dict[Department, LayerDescription]:
        if self.down:
            raise Unavailable("down")
        self.described += [picture.pixel_hash for picture in pictures]
        return TOP

    async def rerank(
        self,
        method: RerankMethod,
        query: str,
        region: Image.Image,
        candidates: Sequence[bytes],
        budget: Budget,
    ) -> list[float | None]:
        if self.down:
            raise Unavailable("down")
        self.scored += candidates
        return [len(candidate) / 10 if candidate else None for candidate in candidates]


class BrokenCache(InMemoryCache):
    async def get(self, key: str) -> bytes | None:
        raise Unavailable("the cache is down")

    async def put(self, key: str, value: bytes, ttl_seconds: float) -> None:
        raise Unavailable("the cache is down")


def picture(pixel_hash: str) -> Picture:
    return Picture(REGION, pixel_hash)


async def scores_of(
    model: CachedVisionModel, candidates: list[bytes], method: RerankMethod = LIKELIHOOD
) -> list[float | None]:
    return await model.rerank(method, "red shirt", REGION, candidates, Budget.of(1))


async def test_the_same_pictures_are_described_once() -> None:
    recording = RecordingModel()
    model = CachedVisionModel(recording, InMemoryCache(), 60)
    first = await model.describe([picture("a"), picture("b")], Budget.of(1))
    again = await model.describe([picture("a"), picture("b")], Budget.of(1))
    assert first == again == TOP
    await model.describe([picture("b"), picture("a")], Budget.of(1))
    assert recording.described == ["a", "b", "b", "a"]


async def test_another_model_or_other_prompts_miss_the_cache() -> None:
    cache, other = InMemoryCache(), RecordingModel("model/other-prompts")
    await CachedVisionModel(RecordingModel(), cache, 60).describe([picture("a")], Budget.of(1))
    await CachedVisionModel(other, cache, 60).describe([picture("a")], Budget.of(1))
    assert other.described == ["a"]


async def test_only_uncached_candidates_are_scored() -> None:
    recording = RecordingModel()
    model = CachedVisionModel(recording, InMemoryCache(), 60)
    assert await scores_of(model, [b"one", b"three"]) == [0.3, 0.5]
    assert await scores_of(model, [b"seven", b"one", b"three"]) == [0.5, 0.3, 0.5]
    assert recording.scored == [b"one", b"three", b"seven"]


async def test_a_missing_score_is_not_cached() -> None:
    recording = RecordingModel()
    model = CachedVisionModel(recording, InMemoryCache(), 60)
    assert await scores_of(model, [b""]) == [None]
    assert await scores_of(model, [b""]) == [None]
    assert recording.scored == [b"", b""]


@pytest.mark.parametrize("cached", [b"nan", b"inf", b"-1.0", b"1.5", b"{}", b"", b"\xff"])
async def test_a_cached_value_that_is_not_a_score_counts_as_missing(cached: bytes) -> None:
    cache = InMemoryCache()
    model = CachedVisionModel(RecordingModel(), cache, 60)
    await scores_of(model, [b"one"])
    for key in list(cache.values):
        await cache.put(key, cached, 60)
    assert await scores_of(model, [b"one"]) == [0.3]


async def test_scores_by_region_are_not_cached() -> None:
    recording = RecordingModel()
    model = CachedVisionModel(recording, InMemoryCache(), 60)
    await scores_of(model, [b"one"], POINTWISE)
    await scores_of(model, [b"one"], POINTWISE)
    assert recording.scored == [b"one", b"one"]


async def test_a_cache_that_is_down_or_holds_garbage_changes_nothing() -> None:
    for cache in (BrokenCache(), InMemoryCache()):
        model = CachedVisionModel(RecordingModel(), cache, 60)
        await model.describe([picture("a")], Budget.of(1))
        assert await scores_of(model, [b"one"]) == [0.3]
        cache.values.update(dict.fromkeys(cache.values, b'{"top": 3}'))
        assert await model.describe([picture("a")], Budget.of(1)) == TOP
        assert await scores_of(model, [b"one"]) == [0.3]


async def test_a_failure_is_raised_and_not_cached() -> None:
    recording = RecordingModel()
    model = CachedVisionModel(recording, InMemoryCache(), 60)
    recording.down = True
    with pytest.raises(Unavailable):
        await model.describe([picture("a")], Budget.of(1))
    recording.down = False
    assert await model.describe([picture("a")], Budget.of(1)) == TOP
