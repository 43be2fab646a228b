"""A vision-language model behind an OpenAI-compatible server.

Structured outputs and the log probabilities of answer and prompt tokens are used as ``vllm serve``
offers them; docs/decisions/070 lists what another server must support.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import httpx
import numpy as np
from aiolimiter import AsyncLimiter
from PIL.Image import Image

from operators.budget import Budget
from operators.concurrency import cancel
from operators.metering import Meter, unmetered
from operators.models.vlm.answers import AnswerParser, OnRepair, Order, description_type
from operators.models.vlm.breaker import CircuitBreaker
from operators.models.vlm.completions import first_tokens, logprob, query_logprobs, text_of
from operators.models.vlm.messages import (
    Message,
    assistant_message,
    encode_jpeg,
    response_format,
    user_message,
)
from operators.models.vlm.prompts import Prompts, fill_in
from operators.ports import LayerDescription, Picture
from operators.vocabulary.taxonomy import Taxonomy
from schemas.attributes import Department
from schemas.errors import DeadlineExceeded, Unavailable
from schemas.rerank import RerankMethod
from schemas.settings import VlmSettings

TOP_LOGPROBS = 20
"""vLLM's default limit. A model asked for yes or no has both among its 20 likeliest tokens."""

_RETRYABLE = frozenset({408, 409, 425, 429})
"""And all from 500: for another attempt they may have passed. Every other status is a refusal of
this request; whether all requests fail is for the breaker to find (docs/decisions/140)."""
_BASE_WAIT_SECONDS, _MAX_WAIT_SECONDS = 0.1, 2.0


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
        self._meter = meter
        self._prompts = Prompts.load(settings.prompts)
        self._parser = AnswerParser(taxonomy, on_repair)
        self._breaker = CircuitBreaker(settings.breaker_failures, settings.breaker_seconds)
        self._slots = asyncio.Semaphore(settings.concurrency)
        rate = settings.requests_per_second
        # One by one: a bucket of a second would let its requests through at once.
        self._pace: AbstractAsyncContextManager[None] = (
            nullcontext() if rate is None else AsyncLimiter(1, 1 / rate)
        )
        key = settings.api_key.get_secret_value() if settings.api_key else None
        self._client = httpx.AsyncClient(
            base_url=settings.url.rstrip("/"),
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=None,  # the look's budget limits each call
            limits=httpx.Limits(max_connections=settings.concurrency * 2),
        )

    @property
    def fingerprint(self) -> str:
        """Model and set of prompts: both determine the answers."""
        return f"{self._settings.model}/{self._prompts.name}"

    @property
    def finds_layers(self) -> bool:
        return self._prompts.asks_for_boxes

    @property
    def fails_every_call(self) -> bool:
        """Whether the circuit breaker is open: looks are matched without the model."""
        return self._breaker.state != "closed"

    async def close(self) -> None:
        await self._client.aclose()

    async def describe(
        self, pictures: Sequence[Picture], budget: Budget
    ) -> dict[Department, LayerDescription]:
        """See the port. The pictures are sent in their order, the look first."""
        sent = [encode_jpeg(picture.image) for picture in pictures[: self._prompts.max_pictures]]
        with self._breaker.call():
            answer = await self._chat(
                [user_message(sent, self._prompts.describe)],
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
                sent = encode_jpeg(region)
                with self._breaker.call():
                    return await _gather_scores(
                        [self._score_pair(sent, each, query, budget) for each in candidates]
                    )
            case RerankMethod.LIKELIHOOD:
                with self._breaker.call():
                    return await _gather_scores(
                        [self._score_likelihood(each, query, budget) for each in candidates]
                    )
            case _:
                raise ValueError(f"a model cannot rerank by {method}")

    async def _order(
        self, query: str, region: Image, candidates: Sequence[bytes], budget: Budget
    ) -> Mapping[str, Any]:
        text = fill_in(self._prompts.listwise, query)
        return await self._chat(
            [user_message([encode_jpeg(region), *candidates], text)],
            budget,
            max_tokens=16 + 6 * len(candidates),
            response_format=response_format(Order),
        )

    async def _score_pair(
        self, region: bytes, candidate: bytes, query: str, budget: Budget
    ) -> float | None:
        """P(yes) / (P(yes) + P(no)) of the answer's first token; None without either."""
        text = fill_in(self._prompts.pointwise, query)
        answer = await self._chat(
            [user_message([region, candidate], text)],
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
            [user_message([candidate], self._prompts.likelihood), assistant_message(query)],
            budget,
            max_tokens=1,
            continue_final_message=True,
            add_generation_prompt=False,
            prompt_logprobs=0,
        )
        logprobs = query_logprobs(answer.get("prompt_logprobs"), query)
        return min(1.0, float(np.exp(np.mean(logprobs)))) if logprobs else None

    async def _chat(
        self, messages: Sequence[Message], budget: Budget, **parameters: Any
    ) -> Mapping[str, Any]:
        """Request one chat completion; retry as long as the budget allows."""
        body = {"model": self._settings.model, "messages": messages, "temperature": 0.0}
        async with budget.enforced("vlm"), self._slots:
            for attempt in range(1, self._settings.attempts + 1):
                try:
                    return await self._hedge(lambda: self._request(body | parameters))
                except _RetryableError as error:
                    backoff = min(_MAX_WAIT_SECONDS, _BASE_WAIT_SECONDS * 2**attempt)
                    wait = max(error.retry_after, backoff * random.uniform(0.5, 1))
                    if attempt == self._settings.attempts or wait >= budget.remaining():
                        raise Unavailable(str(error), reason=error.reason) from None
                    await asyncio.sleep(wait)
        raise AssertionError("unreachable: attempts is at least 1")

    async def _hedge(self, call: Callable[[], Awaitable[Mapping[str, Any]]]) -> Mapping[str, Any]:
        """Run ``call``; after hedge_after_ms run it a second time and return the first result."""
        if self._settings.hedge_after_ms is None:
            return await call()
        tasks = [asyncio.ensure_future(call())]
        try:
            await asyncio.wait(tasks, timeout=self._settings.hedge_after_ms / 1000)
            if not tasks[0].done():
                tasks.append(asyncio.ensure_future(call()))
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            await cancel(tasks)

    async def _request(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        async with self._pace:
            pass
        with self._meter():
            return await self._post(body)

    async def _post(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            response = await self._client.post("/chat/completions", json=body)
            if response.status_code in _RETRYABLE or response.status_code >= 500:
                raise _RetryableError(
                    f"the model server responded with {response.status_code}",
                    reason=f"http-{response.status_code}",
                    retry_after=_retry_after_seconds(response),
                )
            if not response.is_success:
                raise Unavailable(
                    f"the model server refused the request ({response.status_code}): "
                    f"{response.text[:300]}; if it refuses all, check vlm.model, vlm.url, "
                    "vlm.api_key and the server's flags",
                    reason=f"http-{response.status_code}",
                )
            answer = response.json()
        except httpx.HTTPError as error:
            late = isinstance(error, httpx.TimeoutException)
            cause = "no answer in time" if late else str(error) or "the connection broke"
            raise _RetryableError(
                f"the model server cannot be reached: {cause}", reason="connection"
            ) from error
        except (ValueError, RecursionError) as error:
            raise _RetryableError(
                f"the model server sent invalid JSON: {error}", reason="no-json"
            ) from error
        if not isinstance(answer, dict):
            raise _RetryableError("the model server sent no JSON object", reason="no-json")
        if not isinstance(answer.get("choices"), list):  # such as an error with status 200
            raise _RetryableError(
                f"the model server sent no choices: {response.text[:300]}", reason="no-choices"
            )
        return answer


class _RetryableError(Exception):
    """A failure after which another attempt may succeed; ``retry_after`` in seconds."""

    def __init__(self, message: str, *, reason: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_after = retry_after


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


def _retry_after_seconds(response: httpx.Response) -> float:
    try:
        return max(0.0, float(response.headers.get("retry-after", "0")))
    except ValueError:  # an HTTP date: rare, and later than any look's deadline
        return _MAX_WAIT_SECONDS
