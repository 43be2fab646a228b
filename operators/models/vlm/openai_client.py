"""A vision-language model behind any OpenAI-compatible server; the parameters are vLLM's.

Structured outputs, log probabilities of answer tokens and of prompt tokens are those of ``vllm
serve``; docs/decisions/070 says what another server has to offer.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import httpx
import numpy as np
from PIL.Image import Image

from operators.budget import Budget
from operators.models.vlm.answers import LookDescription, Order, Reader, Repaired
from operators.models.vlm.breaker import CircuitBreaker
from operators.models.vlm.messages import Message, answering, asking, forced, jpeg
from operators.models.vlm.prompts import Prompts
from operators.ports import LayerDescription, Picture
from operators.vocabulary.taxonomy import Taxonomy
from schemas.attributes import Department
from schemas.errors import DeadlineExceeded, Misconfigured, Unavailable
from schemas.rerank import RerankMethod
from schemas.settings import VlmSettings

TOP_LOGPROBS = 20
"""vLLM's default limit; yes and no are among the likeliest tokens of any model asked for them."""

_WORTH_ANOTHER_TRY = frozenset({408, 429, 500, 502, 503, 504})
_THIS_REQUEST_ONLY = frozenset({400, 413, 422})
"""Prompt too long, too many pictures: the next look's may do, so no flow ends with it."""
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 2.0  # seconds


class OpenAIVisionModel:
    """Implements :class:`operators.ports.VisionLanguageModel`."""

    def __init__(self, settings: VlmSettings, taxonomy: Taxonomy, repaired: Repaired) -> None:
        self._settings = settings
        self._prompts = Prompts.load(settings.prompts)
        self._reader = Reader(taxonomy, repaired)
        self._breaker = CircuitBreaker(settings.breaker_failures, settings.breaker_seconds)
        self._places = asyncio.Semaphore(settings.concurrency)
        key = settings.api_key.get_secret_value() if settings.api_key else None
        self._client = httpx.AsyncClient(
            base_url=settings.url.rstrip("/"),
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=None,  # each call's is the look's budget
            limits=httpx.Limits(max_connections=settings.concurrency * 2),
        )

    @property
    def fingerprint(self) -> str:
        """Model and words: answers of another model or other words are other answers."""
        return f"{self._settings.model}/{self._prompts.name}"

    async def close(self) -> None:
        await self._client.aclose()

    async def describe(
        self, pictures: Sequence[Picture], budget: Budget
    ) -> dict[Department, LayerDescription]:
        """As the port says. The pictures travel in their order, the look first."""
        sent = [jpeg(picture.image) for picture in pictures[: self._prompts.pictures]]
        answer = await self._chat(
            [asking(sent, self._prompts.describe)],
            budget,
            max_tokens=self._settings.longest_description,
            response_format=forced(LookDescription),
        )
        return self._reader.description(_text(answer))

    async def rerank(
        self,
        method: RerankMethod,
        query: str,
        region: Image,
        candidates: Sequence[bytes],
        budget: Budget,
    ) -> list[float | None]:
        """As the port says; a candidate whose call fails is None, and only if all fail, that
        error is raised."""
        match method:
            case RerankMethod.LISTWISE:
                text = self._prompts.asking(self._prompts.listwise, query)
                answer = await self._chat(
                    [asking([jpeg(region), *candidates], text)],
                    budget,
                    max_tokens=16 + 6 * len(candidates),
                    response_format=forced(Order),
                )
                return self._reader.order(_text(answer), len(candidates))
            case RerankMethod.POINTWISE:
                shown = jpeg(region)
                return await _each(
                    [self._same(shown, candidate, query, budget) for candidate in candidates]
                )
            case RerankMethod.LIKELIHOOD:
                return await _each(
                    [self._likelihood(candidate, query, budget) for candidate in candidates]
                )
            case _:
                raise ValueError(f"a model does not judge by {method}")

    async def _same(
        self, region: bytes, candidate: bytes, query: str, budget: Budget
    ) -> float | None:
        """P(yes) / (P(yes) + P(no)) of the answer's first token."""
        text = self._prompts.asking(self._prompts.pointwise, query)
        answer = await self._chat(
            [asking([region, candidate], text)],
            budget,
            max_tokens=1,
            logprobs=True,
            top_logprobs=TOP_LOGPROBS,
        )
        said = {"yes": 0.0, "no": 0.0}
        for token in _first_tokens(answer):
            word = str(token.get("token", "")).strip().lower()
            if word in said:
                said[word] += float(np.exp(token["logprob"]))
        total = said["yes"] + said["no"]
        return said["yes"] / total if total > 0 else None

    async def _likelihood(self, candidate: bytes, query: str, budget: Budget) -> float | None:
        """Geometric mean of the probabilities of the query's own tokens, as the candidate's
        description; the chat template's tokens do not count."""
        answer = await self._chat(
            [asking([candidate], self._prompts.likelihood), answering(query)],
            budget,
            max_tokens=1,
            continue_final_message=True,
            add_generation_prompt=False,
            prompt_logprobs=0,
        )
        logs = _own_tokens(answer.get("prompt_logprobs"), query)
        return float(np.exp(np.mean(logs))) if logs else None

    async def _chat(
        self, messages: Sequence[Message], budget: Budget, **parameters: Any
    ) -> Mapping[str, Any]:
        """One chat completion, tried again while that fits in the budget."""
        body = {"model": self._settings.model, "messages": messages, "temperature": 0.0}
        with self._breaker.call():
            async with budget.enforced("vlm"), self._places:
                for attempt in range(1, self._settings.attempts + 1):
                    try:
                        return await self._hedged(lambda: self._post(body | parameters))
                    except _TryAgain as failed:
                        wait = max(
                            failed.retry_after,
                            min(_LONGEST_WAIT, _FIRST_WAIT * 2**attempt) * random.uniform(0.5, 1),
                        )
                        if attempt == self._settings.attempts or wait >= budget.remaining():
                            raise Unavailable(str(failed), reason=failed.reason) from None
                        await asyncio.sleep(wait)
        raise AssertionError("unreachable: attempts is at least 1")

    async def _hedged(self, call: Callable[[], Awaitable[Mapping[str, Any]]]) -> Mapping[str, Any]:
        """``call``; and once more beside it when it takes longer than hedge_after_ms."""
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
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _post(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            response = await self._client.post("/chat/completions", json=body)
            if response.status_code in _WORTH_ANOTHER_TRY:
                raise _TryAgain(
                    f"the model server answers {response.status_code}",
                    reason=f"http-{response.status_code}",
                    retry_after=_retry_after(response),
                )
            if response.is_error:
                refusal = (
                    f"the model server refuses the request ({response.status_code}): "
                    f"{response.text[:300]}; check vlm.model, vlm.url and its serve flags"
                )
                if response.status_code in _THIS_REQUEST_ONLY:
                    raise Unavailable(refusal, reason=f"http-{response.status_code}")
                raise Misconfigured(refusal)
            answer = response.json()
        except httpx.HTTPError as error:
            raise _TryAgain(
                f"the model server cannot be reached: {error!r}", reason="connection"
            ) from error
        except ValueError as error:
            raise _TryAgain(f"the model server sends no JSON: {error}", reason="no-json") from error
        if not isinstance(answer, dict):
            raise _TryAgain("the model server sends no object", reason="no-json")
        return answer


class _TryAgain(Exception):
    """A failure that another attempt may not have."""

    def __init__(self, message: str, *, reason: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_after = retry_after


async def _each(calls: Sequence[Awaitable[float | None]]) -> list[float | None]:
    """The scores that came; None for a call that failed. Raises the first error if all failed."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    errors = [result for result in results if isinstance(result, BaseException)]
    for error in errors:
        if not isinstance(error, Unavailable | DeadlineExceeded):
            raise error
    if errors and len(errors) == len(results):
        raise errors[0]
    return [None if isinstance(result, BaseException) else result for result in results]


def _choice(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        choice = answer["choices"][0]
    except (KeyError, IndexError, TypeError):
        choice = None
    if not isinstance(choice, dict):
        raise Unavailable("the model server's answer has no choice", reason="useless-answer")
    return choice


def _text(answer: Mapping[str, Any]) -> str:
    message = _choice(answer).get("message")
    content = message.get("content") if isinstance(message, dict) else None
    return content if isinstance(content, str) else ""


def _first_tokens(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The likeliest first tokens, each with ``token`` and ``logprob``."""
    try:
        tokens = _choice(answer)["logprobs"]["content"][0]["top_logprobs"]
    except (KeyError, IndexError, TypeError):
        return []
    return [t for t in tokens if isinstance(t, dict) and isinstance(t.get("logprob"), int | float)]


def _own_tokens(prompt: Any, query: str) -> list[float]:
    """Log probabilities of the tokens at the prompt's end that spell the query; empty when none
    do. ``prompt``: vLLM's prompt_logprobs, per token None or {token id: {logprob, decoded_token}}.
    """
    if not isinstance(prompt, list):
        return []
    spelled, logs = "", []
    for token in reversed(prompt):
        if not isinstance(token, dict) or not token:
            return []
        chosen = next(iter(token.values()))
        spelled = str(chosen.get("decoded_token", "")) + spelled
        logs.append(float(chosen["logprob"]))
        if spelled.strip() == query.strip():
            return logs
        if len(spelled) > len(query) + 2:
            return []
    return []


def _retry_after(response: httpx.Response) -> float:
    try:
        return max(0.0, float(response.headers.get("retry-after", "0")))
    except ValueError:  # a date: rare, and the look does not live that long
        return _LONGEST_WAIT
