"""A vision-language model with scripted answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from PIL.Image import Image

from operators.budget import Budget
from operators.ports import LayerDescription, Picture
from schemas.attributes import Department
from schemas.rerank import RerankMethod


class ScriptedModel:
    """A vision-language model with scripted answers."""

    fingerprint = "scripted"

    def __init__(
        self,
        described: dict[Department, LayerDescription] | Exception | None,
        answers: dict[bytes, float | None] | Exception | None = None,
        *,
        finds_layers: bool = False,
    ) -> None:
        self.finds_layers = finds_layers
        self._described = described
        self._answers = answers

    async def describe(
        self, pictures: Sequence[Picture], budget: Budget
    ) -> dict[Department, LayerDescription]:
        if self._described is None:
            await asyncio.sleep(60)
        if isinstance(self._described, Exception):
            raise self._described
        return self._described or {}

    async def rerank(
        self,
        method: RerankMethod,
        query: str,
        region: Image,
        candidates: Sequence[bytes],
        budget: Budget,
    ) -> list[float | None]:
        if self._answers is None:
            await asyncio.sleep(60)
        if isinstance(self._answers, Exception):
            raise self._answers
        return [(self._answers or {}).get(candidate) for candidate in candidates]
