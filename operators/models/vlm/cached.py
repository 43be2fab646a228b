"""A cache of a vision-language model's answers.

Two kinds of answers recur: descriptions of the same pictures (a look matched again with other
filters, a replay), and the likelihood of a query given a product's photograph. Likelihoods are
shared by all looks with the same query.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress

from PIL.Image import Image
from pydantic import TypeAdapter, ValidationError

from operators.budget import Budget
from operators.ports import Cache, LayerDescription, Picture, VisionLanguageModel
from schemas.attributes import Department
from schemas.errors import Unavailable
from schemas.rerank import RerankMethod

_Descriptions = TypeAdapter(dict[Department, LayerDescription])


class CachedVisionModel:
    """Implements :class:`operators.ports.VisionLanguageModel` with another model and a cache.

    When the cache is unavailable, every call goes to the model.
    """

    def __init__(self, model: VisionLanguageModel, cache: Cache, ttl_seconds: float) -> None:
        self._model = model
        self._cache = cache
        self._ttl_seconds = ttl_seconds

    @property
    def fingerprint(self) -> str:
        return self._model.fingerprint

    @property
    def finds_layers(self) -> bool:
        return self._model.finds_layers

    async def describe(
        self, pictures: Sequence[Picture], budget: Budget
    ) -> dict[Department, LayerDescription]:
        """See the port. Cached by the pictures in their order, the model and its prompts."""
        key = self._key("describe", *(picture.pixel_hash for picture in pictures))
        if (cached := await self._get(key)) is not None:
            # Another version of this program may have written something else.
            with suppress(ValidationError):
                return _Descriptions.validate_json(cached)
        described = await self._model.describe(pictures, budget)
        await self._put(key, _Descriptions.dump_json(described))
        return described

    async def rerank(
        self,
        method: RerankMethod,
        query: str,
        region: Image,
        candidates: Sequence[bytes],
        budget: Budget,
    ) -> list[float | None]:
        """See the port. Only likelihoods are cached: the other methods compare with the region,
        which hardly ever recurs."""
        if method is not RerankMethod.LIKELIHOOD:
            return await self._model.rerank(method, query, region, candidates, budget)
        keys = [
            self._key("likelihood", query, hashlib.sha256(candidate).hexdigest())
            for candidate in candidates
        ]
        scores = [_parse_score(cached) for cached in await asyncio.gather(*map(self._get, keys))]
        misses = [index for index, score in enumerate(scores) if score is None]
        if not misses:
            return scores
        uncached = [candidates[index] for index in misses]
        answers = await self._model.rerank(method, query, region, uncached, budget)
        for index, answer in zip(misses, answers, strict=True):
            scores[index] = answer
        await asyncio.gather(
            *(
                self._put(keys[index], repr(answer).encode())
                for index, answer in zip(misses, answers, strict=True)
                if answer is not None
            )
        )
        return scores

    def _key(self, *what: str) -> str:
        digest = hashlib.sha256(json.dumps([self._model.fingerprint, *what]).encode())
        return f"vlm/{digest.hexdigest()}"

    async def _get(self, key: str) -> bytes | None:
        try:
            return await self._cache.get(key)
        except Unavailable:
            return None

    async def _put(self, key: str, value: bytes) -> None:
        with suppress(Unavailable):
            await self._cache.put(key, value, self._ttl_seconds)


def _parse_score(cached: bytes | None) -> float | None:
    """The score in a cache entry; None if it is not one, and the model is asked again."""
    try:
        score = -1.0 if cached is None else float(cached)
    except ValueError:
        return None
    return score if 0 <= score <= 1 else None
