"""A model that answers from its cache: asked once, never told wrong, never stopped by the cache."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from doubles import InMemoryCache
from PIL import Image

from operators.budget import Budget
from operators.models.vlm.cached import CachedVisionModel
from operators.ports import LayerDescription, Picture
from schemas.attributes import Department
from schemas.errors import Unavailable
from schemas.rerank import RerankMethod

REGION = Image.new("RGB", (4, 4))
TOP = {Department.TOP: LayerDescription("red striped shirt", {"colour": "red"})}
LIKELIHOOD, POINTWISE = RerankMethod.LIKELIHOOD, RerankMethod.POINTWISE


class AskedModel:
    """Records what it is asked; a candidate's score is its length, None for empty ones."""

    def __init__(self, fingerprint: str = "model/prompts") -> None:
        self.fingerprint = fingerprint
        self.described: list[str] = []
        self.judged: list[bytes] = []
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
        self.judged += candidates
        return [len(candidate) / 10 if candidate else None for candidate in candidates]


class BrokenCache(InMemoryCache):
    async def get(self, key: str) -> bytes | None:
        raise Unavailable("the cache is away")

    async def put(self, key: str, value: bytes, ttl_seconds: float) -> None:
        raise Unavailable("the cache is away")


def picture(pixel_hash: str) -> Picture:
    return Picture(REGION, pixel_hash)


async def judged(
    model: CachedVisionModel, candidates: list[bytes], method: RerankMethod = LIKELIHOOD
) -> list[float | None]:
    return await model.rerank(method, "red shirt", REGION, candidates, Budget.of(1))


async def test_the_same_pictures_are_described_once() -> None:
    asked = AskedModel()
    model = CachedVisionModel(asked, InMemoryCache(), 60)
    first = await model.describe([picture("a"), picture("b")], Budget.of(1))
    again = await model.describe([picture("a"), picture("b")], Budget.of(1))
    assert first == again == TOP
    await model.describe([picture("b"), picture("a")], Budget.of(1))
    assert asked.described == ["a", "b", "b", "a"]


async def test_another_model_or_other_prompts_are_asked_anew() -> None:
    cache, other = InMemoryCache(), AskedModel("model/other-prompts")
    await CachedVisionModel(AskedModel(), cache, 60).describe([picture("a")], Budget.of(1))
    await CachedVisionModel(other, cache, 60).describe([picture("a")], Budget.of(1))
    assert other.described == ["a"]


async def test_only_unknown_candidates_are_judged() -> None:
    asked = AskedModel()
    model = CachedVisionModel(asked, InMemoryCache(), 60)
    assert await judged(model, [b"one", b"three"]) == [0.3, 0.5]
    assert await judged(model, [b"seven", b"one", b"three"]) == [0.5, 0.3, 0.5]
    assert asked.judged == [b"one", b"three", b"seven"]


async def test_what_got_no_answer_is_asked_again() -> None:
    asked = AskedModel()
    model = CachedVisionModel(asked, InMemoryCache(), 60)
    assert await judged(model, [b""]) == [None]
    assert await judged(model, [b""]) == [None]
    assert asked.judged == [b"", b""]


async def test_judgements_by_region_are_not_kept() -> None:
    asked = AskedModel()
    model = CachedVisionModel(asked, InMemoryCache(), 60)
    await judged(model, [b"one"], POINTWISE)
    await judged(model, [b"one"], POINTWISE)
    assert asked.judged == [b"one", b"one"]


async def test_a_cache_that_is_away_or_holds_rubbish_changes_nothing() -> None:
    for cache in (BrokenCache(), InMemoryCache()):
        model = CachedVisionModel(AskedModel(), cache, 60)
        await model.describe([picture("a")], Budget.of(1))
        assert await judged(model, [b"one"]) == [0.3]
        cache.values.update(dict.fromkeys(cache.values, b'{"top": 3}'))
        assert await model.describe([picture("a")], Budget.of(1)) == TOP
        assert await judged(model, [b"one"]) == [0.3]


async def test_a_failure_is_passed_on_and_not_kept() -> None:
    asked = AskedModel()
    model = CachedVisionModel(asked, InMemoryCache(), 60)
    asked.down = True
    with pytest.raises(Unavailable):
        await model.describe([picture("a")], Budget.of(1))
    asked.down = False
    assert await model.describe([picture("a")], Budget.of(1)) == TOP
