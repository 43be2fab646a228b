"""A vision-language model that is not asked twice: its answers, kept for a while.

Two kinds of answers come again: descriptions of the same pictures (a look matched again with other
filters, a replay), and how likely a query is of a product. The latter are shared by all looks that
wear something of that description: the model is asked about a pair of words and photograph once.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence

from PIL.Image import Image
from pydantic import TypeAdapter, ValidationError

from operators.budget import Budget
from operators.ports import Cache, LayerDescription, Picture, VisionLanguageModel
from schemas.attributes import Department
from schemas.errors import Unavailable
from schemas.rerank import RerankMethod

_Descriptions = TypeAdapter(dict[Department, LayerDescription])


class CachedVisionModel:
    """Implements :class:`operators.ports.VisionLanguageModel` by another one and a cache.

    A cache that cannot be reached only means that the model is asked.
    """

    def __init__(self, model: VisionLanguageModel, cache: Cache, ttl_seconds: float) -> None:
        self._model = model
        self._cache = cache
        self._ttl_seconds = ttl_seconds

    @property
    def fingerprint(self) -> str:
        return self._model.fingerprint

    async def describe(
        self, pictures: Sequence[Picture], budget: Budget
    ) -> dict[Department, LayerDescription]:
        """As the port says; known by the pictures in their order, the model and its prompts."""
        key = self._key("describe", *(picture.pixel_hash for picture in pictures))
        if (kept := await self._get(key)) is not None:
            try:
                return _Descriptions.validate_json(kept)
            except ValidationError:  # written by another version of this program
                pass
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
        """As the port says. Likelihoods are kept; the other methods judge by the region, which
        hardly comes again."""
        if method is not RerankMethod.LIKELIHOOD:
            return await self._model.rerank(method, query, region, candidates, budget)
        keys = [
            self._key("likelihood", query, hashlib.sha256(candidate).hexdigest())
            for candidate in candidates
        ]
        scores = [_score(kept) for kept in await asyncio.gather(*map(self._get, keys))]
        unknown = [number for number, score in enumerate(scores) if score is None]
        if not unknown:
            return scores
        asked = [candidates[number] for number in unknown]
        answers = await self._model.rerank(method, query, region, asked, budget)
        for number, answer in zip(unknown, answers, strict=True):
            scores[number] = answer
        await asyncio.gather(
            *(
                self._put(keys[number], repr(answer).encode())
                for number, answer in zip(unknown, answers, strict=True)
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
        try:
            await self._cache.put(key, value, self._ttl_seconds)
        except Unavailable:
            return  # a cache may forget at any time


def _score(kept: bytes | None) -> float | None:
    try:
        return None if kept is None else float(kept)
    except ValueError:
        return None
