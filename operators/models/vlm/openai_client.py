"""A vision-language model behind an OpenAI-compatible server.

Structured outputs and the log probabilities of answer and prompt tokens are used as ``vllm serve``
offers them; docs/decisions/070 lists what another server must support.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL.Image import Image

from operators.budget import Budget
from operators.metering import Meter, unmetered
from operators.models.model_server import CallLimits, ModelServer
from operators.models.vlm.answers import AnswerParser, OnRepair, Order, description_type
from operators.models.vlm.breaker import CircuitBreaker
from operators.models.vlm.completions import first_tokens, logprob, query_logprobs, text_of
from operators.models.vlm.messages import (
    Message,
    Part,
    assistant_message,
    encode_jpeg,
    picture_part,
    response_format,
    text_part,
    user_message,
)
from operators.models.vlm.prompts import Prompts, fill_in
from operators.models.vlm.reranker import Reranker
from operators.ports import LayerDescription, Picture
from operators.vocabulary.taxonomy import Taxonomy
from schemas.attributes import Department
from schemas.errors import DeadlineExceeded, Unavailable
from schemas.rerank import RerankMethod
from schemas.settings import VlmSettings

TOP_LOGPROBS = 20
"""vLLM's default limit. A model asked for yes or no has both among its 20 likeliest tokens."""


class OpenAIVisionModel:
    """Implements :class:`operators.ports.VisionLanguageModel`."""

    def __init__(
        self,
        settings: VlmSettings,
        taxonomy: Taxonomy,
        on_repair: OnRepair,
        meter: Meter = unmetered,
    ) -> None:
        self._settings = settings
        self._prompts = Prompts.load(settings.prompts)
        self._parser = AnswerParser(taxonomy, on_repair)
        self._breaker = CircuitBreaker(settings.breaker_failures, settings.breaker_seconds)
        limits = CallLimits(
            settings.concurrency,
            settings.attempts,
            settings.requests_per_second,
            settings.hedge_after_ms,
        )
        self._server = ModelServer(settings.url, settings.api_key, limits, meter)
        self._reranker = Reranker.of(settings, limits, meter)

    @property
    def fingerprint(self) -> str:
        """Models and set of prompts: all determine the answers."""
        described = f"{self._settings.model}/{self._prompts.name}"
        return described if self._reranker is None else f"{described}/{self._reranker.model}"

    @property
    def finds_layers(self) -> bool:
        return self._prompts.asks_for_boxes

    @property
    def fails_every_call(self) -> bool:
        """Whether a circuit breaker is open: looks are matched without the model or the scores."""
        shut = self._reranker is not None and self._reranker.fails_every_call
        return shut or self._breaker.state != "closed"

    async def close(self) -> None:
        await self._server.close()
        if self._reranker is not None:
            await self._reranker.close()

    async def describe(
        self, pictures: Sequence[Picture], budget: Budget
    ) -> dict[Department, LayerDescription]:
        """See the port. The pictures are sent in their order, the look first."""
        sent = [
            picture_part(encode_jpeg(picture.image))
            for picture in pictures[: self._prompts.max_pictures]
        ]
        with self._breaker.call():
            answer = await self._chat(
                [self._question(self._prompts.describe, sent)],
                budget,
                max_tokens=self._settings.longest_description,
                response_format=response_format(description_type(boxes=self.finds_layers)),
            )
        return self._parser.parse_description(text_of(answer))

    async def rerank(
        self,
        method: RerankMethod,
        query: str,
        region: Image,
        candidates: Sequence[bytes],
        budget: Budget,
    ) -> list[float | None]:
        """See the port. A candidate whose call fails gets None; if all fail, the first error is
        raised, and counts as one failure: one layer's calls may all be refused for its picture."""
        match method:
            case RerankMethod.LISTWISE:
                with self._breaker.call():
                    answer = await self._order(query, region, candidates, budget)
                return self._parser.parse_order(text_of(answer), len(candidates))
            case RerankMethod.POINTWISE:
                sent = picture_part(encode_jpeg(region))
                with self._breaker.call():
                    return await _gather_scores(
                        [self._score_pair(sent, each, query, budget) for each in candidates]
                    )
            case RerankMethod.LIKELIHOOD:
                with self._breaker.call():
                    return await _gather_scores(
                        [self._score_likelihood(each, query, budget) for each in candidates]
                    )
            case RerankMethod.SCORE if self._reranker is not None:
                return await self._reranker.score(query, region, candidates, budget)
            case _:
                raise ValueError(f"a model cannot rerank by {method}")

    async def _order(
        self, query: str, region: Image, candidates: Sequence[bytes], budget: Budget
    ) -> Mapping[str, Any]:
        text = fill_in(self._prompts.listwise, query)
        pictures = [picture_part(picture) for picture in (encode_jpeg(region), *candidates)]
        return await self._chat(
            [self._question(text, pictures)],
            budget,
            max_tokens=16 + 6 * len(candidates),
            response_format=response_format(Order),
        )

    async def _score_pair(
        self, region: Part, candidate: bytes, query: str, budget: Budget
    ) -> float | None:
        """P(yes) / (P(yes) + P(no)) of the answer's first token; None without either."""
        text = fill_in(self._prompts.pointwise, query)
        answer = await self._chat(
            [self._question(text, [region, picture_part(candidate)])],
            budget,
            max_tokens=1,
            logprobs=True,
            top_logprobs=TOP_LOGPROBS,
        )
        probability = {"yes": 0.0, "no": 0.0}
        for token in first_tokens(answer):
            word = str(token.get("token", "")).strip().lower()
            if word in probability and (found := logprob(token)) is not None:
                probability[word] += float(np.exp(found))
        total = probability["yes"] + probability["no"]
        return probability["yes"] / total if total > 0 else None

    async def _score_likelihood(self, candidate: bytes, query: str, budget: Budget) -> float | None:
        """Geometric mean of the query's token probabilities, as a description of the candidate.
        The chat template's tokens do not count."""
        answer = await self._chat(
            [
                self._question(self._prompts.likelihood, [picture_part(candidate)]),
                assistant_message(query),
            ],
            budget,
            max_tokens=1,
            continue_final_message=True,
            add_generation_prompt=False,
            prompt_logprobs=0,
        )
        logprobs = query_logprobs(answer.get("prompt_logprobs"), query)
        return min(1.0, float(np.exp(np.mean(logprobs)))) if logprobs else None

    def _question(self, text: str, pictures: Sequence[Part]) -> Message:
        return user_message(self._prompts.content(text_part(text), pictures))

    async def _chat(
        self, messages: Sequence[Message], budget: Budget, **parameters: Any
    ) -> Mapping[str, Any]:
        """Request one chat completion."""
        body = {"model": self._settings.model, "messages": messages, "temperature": 0.0}
        return await self._server.post(
            "/chat/completions", body | parameters, budget, holds="choices"
        )


async def _gather_scores(calls: Sequence[Awaitable[float | None]]) -> list[float | None]:
    """All scores, None for a failed call. Raises the first error if all failed."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    errors = [result for result in results if isinstance(result, BaseException)]
    for error in errors:
        if not isinstance(error, Unavailable | DeadlineExceeded):
            raise error
    if errors and len(errors) == len(results):
        raise errors[0]
    return [None if isinstance(result, BaseException) else result for result in results]
