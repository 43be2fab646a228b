"""A reranking model (such as Qwen3-VL-Reranker) behind vLLM's score API.

All products of a layer are judged in a single request. The format is that of vLLM 0.32
(vllm/entrypoints/pooling/scoring): a query and documents of content parts, one score per document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from PIL.Image import Image

from operators.budget import Budget
from operators.metering import Meter
from operators.models.model_server import CallLimits, ModelServer
from operators.models.vlm.breaker import CircuitBreaker
from operators.models.vlm.messages import encode_jpeg, picture_part, text_part
from schemas.errors import Unavailable
from schemas.settings import VlmSettings

INSTRUCTION = (
    "Given a photo of a garment or accessory that somebody wears, and its description, "
    "retrieve the product photo of the very same item."
)
"""Qwen's rerankers take one English sentence that defines relevance."""


class Reranker:
    """Scores products. Has a circuit breaker of its own, as it is another server."""

    def __init__(self, server: ModelServer, model: str, breaker: CircuitBreaker) -> None:
        self._server = server
        self._breaker = breaker
        self.model = model

    @classmethod
    def of(cls, settings: VlmSettings, limits: CallLimits, meter: Meter) -> Self | None:
        """The reranker that ``settings`` name; None if they name none."""
        if settings.score_url is None:
            return None
        return cls(
            ModelServer(settings.score_url, settings.api_key, limits, meter),
            settings.score_model,
            CircuitBreaker(settings.breaker_failures, settings.breaker_seconds),
        )

    @property
    def fails_every_call(self) -> bool:
        """Whether the circuit breaker is open."""
        return self._breaker.state != "closed"

    async def close(self) -> None:
        """Close the connections."""
        await self._server.close()

    async def score(
        self, query: str, region: Image, candidates: Sequence[bytes], budget: Budget
    ) -> list[float | None]:
        """Per candidate (JPEG) the probability, 0..1, that it is what ``region`` shows and
        ``query`` says; None for what is no probability.

        Raises Unavailable or DeadlineExceeded.
        """
        body = {
            "model": self.model,
            "queries": {"content": [picture_part(encode_jpeg(region)), text_part(query)]},
            "documents": [{"content": [picture_part(candidate)]} for candidate in candidates],
            "instruction": INSTRUCTION,
        }
        with self._breaker.call():
            answer = await self._server.post("/score", body, budget, holds="data")
            return _read_scores(answer, len(candidates))


def _read_scores(answer: Mapping[str, Any], count: int) -> list[float | None]:
    """The scores in the order of the candidates.

    Raises Unavailable unless each candidate has exactly one entry: it would not be certain whose
    scores the others are.
    """
    scores: dict[int, float | None] = {}
    for entry in answer["data"]:
        index = entry.get("index") if isinstance(entry, dict) else None
        if type(index) is not int or index in scores or not 0 <= index < count:
            break
        scores[index] = _probability(entry.get("score"))
    if len(scores) != count or len(answer["data"]) != count:
        raise Unavailable(
            f"the model server's scores are not those of {count} products", reason="useless-answer"
        )
    return [scores[index] for index in range(count)]


def _probability(value: object) -> float | None:
    """``value`` if it is one; not a number and infinity are not."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        return None
    return float(value)
