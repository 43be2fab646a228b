"""Wrappers of a vision-language model: one counts requests, one records answers."""

from __future__ import annotations

from collections.abc import Sequence

from PIL.Image import Image

from operators.budget import Budget
from operators.ports import LayerDescription, Picture, VisionLanguageModel
from schemas.attributes import Department
from schemas.rerank import RerankMethod


class CountingModel:
    """A :class:`operators.ports.VisionLanguageModel` that counts requests and delegates them."""

    def __init__(self, model: VisionLanguageModel) -> None:
        self._model = model
        self.calls = 0
        """Requests a server would get: one per described look, and one per candidate judged alone
        or per list of candidates ordered at once."""

    @property
    def fingerprint(self) -> str:
        return self._model.fingerprint

    @property
    def finds_layers(self) -> bool:
        return self._model.finds_layers

    async def describe(
        self, pictures: Sequence[Picture], budget: Budget
    ) -> dict[Department, LayerDescription]:
        self.calls += 1
        return await self._model.describe(pictures, budget)

    async def rerank(
        self,
        method: RerankMethod,
        query: str,
        region: Image,
        candidates: Sequence[bytes],
        budget: Budget,
    ) -> list[float | None]:
        at_once = method in (RerankMethod.LISTWISE, RerankMethod.SCORE)
        self.calls += 1 if at_once else len(candidates)
        return await self._model.rerank(method, query, region, candidates, budget)


class RecordingModel:
    """A :class:`operators.ports.VisionLanguageModel` that keeps its last reranking."""

    def __init__(self, model: VisionLanguageModel) -> None:
        self._model = model
        self._answers: list[float | None] = []

    @property
    def fingerprint(self) -> str:
        return self._model.fingerprint

    @property
    def finds_layers(self) -> bool:
        return self._model.finds_layers

    def take_answers(self) -> list[float | None]:
        """Return and forget the answers to the last rerank call; empty without a call since."""
        answers, self._answers = self._answers, []
        return answers

    async def describe(
        self, pictures: Sequence[Picture], budget: Budget
    ) -> dict[Department, LayerDescription]:
        return await self._model.describe(pictures, budget)

    async def rerank(
        self,
        method: RerankMethod,
        query: str,
        region: Image,
        candidates: Sequence[bytes],
        budget: Budget,
    ) -> list[float | None]:
        self._answers = await self._model.rerank(method, query, region, candidates, budget)
        return self._answers
