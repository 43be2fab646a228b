"""The client of a model server that fails, hangs or is overloaded."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from operators.budget import Budget
from operators.models.vlm.openai_client import OpenAIVisionModel
from schemas.attributes import Department
from schemas.errors import DeadlineExceeded, Unavailable
from schemas.rerank import RerankMethod
from tests.vlm.model_server import Exchange, ModelServer, model_server
from tests.vlm.openai_calls import (
    DESCRIBED,
    LOOK,
    REGION,
    OpenClient,
    candidate,
    open_client,
    yes_with,
)

BUDGET = 60.0
"""Seconds, more than any call here takes."""


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """What a hanging answer waits for; set at the end of the test, so that no thread is left."""
    event = threading.Event()
    yield event
    event.set()


async def test_a_failed_candidate_does_not_affect_the_others(
    open_clients: OpenClient, server: ModelServer
) -> None:
    def answer(exchange: Exchange) -> None:
        if len(server.requests) == 1:
            exchange.send({}, 500)
        else:
            exchange.send(yes_with(0.7))

    server.answer = answer
    scores = await open_clients(attempts=1, concurrency=1).rerank(
        RerankMethod.POINTWISE,
        "a",
        REGION,
        [candidate("red"), candidate("blue")],
        Budget.of(BUDGET),
    )
    assert scores == [None, pytest.approx(0.7)]


TRANSIENT = [408, 409, 425, 429, 500, 501, 502, 503, 504, 507, 520, 524, 529]


@pytest.mark.parametrize("failure", [*map(str, TRANSIENT), "hang-up", "no-json", "no-choices"])
async def test_a_transient_failure_is_retried(
    client: OpenAIVisionModel, server: ModelServer, failure: str
) -> None:
    def answer(exchange: Exchange) -> None:
        if len(server.requests) > 1:
            exchange.say(DESCRIBED)
        elif failure == "hang-up":
            exchange.hang_up()
        elif failure == "no-json":
            exchange.send(b"<html>")
        elif failure == "no-choices":
            exchange.send({"error": {"message": "the model is loading"}})
        else:
            exchange.send({}, int(failure))

    server.answer = answer
    assert Department.TOP in await client.describe([LOOK], Budget.of(BUDGET))
    assert len(server.requests) == 2


async def test_the_number_of_attempts_is_bounded(
    open_clients: OpenClient, server: ModelServer
) -> None:
    server.answer = lambda exchange: exchange.send({}, 503)
    with pytest.raises(Unavailable, match="503"):
        await open_clients(attempts=2).describe([LOOK], Budget.of(BUDGET))
    assert len(server.requests) == 2


async def test_a_retry_beyond_the_budget_is_not_attempted(
    client: OpenAIVisionModel, server: ModelServer
) -> None:
    """The failure is reported at once: after the wait it would be an exceeded deadline."""
    server.answer = lambda exchange: exchange.send({}, 429, Retry_After="600")
    with pytest.raises(Unavailable, match="429"):
        await client.describe([LOOK], Budget.of(BUDGET))
    assert len(server.requests) == 1


async def test_a_hanging_call_ends_at_the_deadline(
    client: OpenAIVisionModel, server: ModelServer, released: threading.Event
) -> None:
    def hang(exchange: Exchange) -> None:
        released.wait()

    server.answer = hang
    with pytest.raises(DeadlineExceeded):
        await client.describe([LOOK], Budget.of(0.3))


@pytest.mark.parametrize("status", [307, 400, 401, 402, 403, 404, 405, 413, 415, 418, 422, 451])
async def test_a_refusal_fails_this_look_only(
    client: OpenAIVisionModel, server: ModelServer, status: int
) -> None:
    """Whatever it says of the request: a gateway answers 403 or 404 to a single one as well."""

    def answer(exchange: Exchange) -> None:
        if len(server.requests) == 1:
            exchange.send({"error": "prompt is too long"}, status)
        else:
            exchange.say(DESCRIBED)

    server.answer = answer
    with pytest.raises(Unavailable, match="too long"):
        await client.describe([LOOK], Budget.of(BUDGET))
    assert len(server.requests) == 1
    assert Department.TOP in await client.describe([LOOK], Budget.of(BUDGET))


async def test_refusals_of_all_calls_open_the_breaker_with_their_reason(
    open_clients: OpenClient, server: ModelServer
) -> None:
    client = open_clients(breaker_failures=2, breaker_seconds=600)
    server.answer = lambda exchange: exchange.send({"error": "no such model"}, 404)
    for _ in range(2):
        assert not client.fails_every_call
        with pytest.raises(Unavailable):
            await client.describe([LOOK], Budget.of(BUDGET))
    assert client.fails_every_call
    with pytest.raises(Unavailable, match="no such model") as refused:
        await client.describe([LOOK], Budget.of(BUDGET))
    assert refused.value.reason == "circuit-open"


@pytest.mark.parametrize("method", [RerankMethod.POINTWISE, RerankMethod.LIKELIHOOD])
async def test_candidates_that_are_all_refused_are_one_failure(
    open_clients: OpenClient, server: ModelServer, method: RerankMethod
) -> None:
    """The calls of one layer share its picture and its words: it does not speak for other looks."""
    client = open_clients(breaker_failures=2)
    server.answer = lambda exchange: exchange.send({}, 403)
    with pytest.raises(Unavailable):
        await client.rerank(method, "a", REGION, [candidate("red")] * 5, Budget.of(BUDGET))
    assert not client.fails_every_call


@pytest.mark.parametrize(
    "logprob",
    [None, True, "-0.5", [], {}, math.nan, math.inf, -math.inf, 3.0, -(10**400)],
)
async def test_only_a_log_probability_is_a_score(
    client: OpenAIVisionModel, server: ModelServer, logprob: Any
) -> None:
    token = {"logprob": logprob, "token": "yes", "decoded_token": "a"}
    server.answer = lambda exchange: exchange.send(
        {
            "choices": [{"logprobs": {"content": [{"top_logprobs": [token]}]}}],
            "prompt_logprobs": [None, {"1": token}],
        }
    )
    for method in (RerankMethod.POINTWISE, RerankMethod.LIKELIHOOD):
        scores = await client.rerank(method, "a", REGION, [candidate("red")], Budget.of(BUDGET))
        assert scores == [None]


@pytest.mark.parametrize("token", [None, -0.3, "a", [], {}, {"1": -0.3}, {"1": None}, {"1": []}])
async def test_only_a_token_has_a_score(
    client: OpenAIVisionModel, server: ModelServer, token: Any
) -> None:
    server.answer = lambda exchange: exchange.send(
        {
            "choices": [{"logprobs": {"content": [{"top_logprobs": token}]}}],
            "prompt_logprobs": [None, token],
        }
    )
    for method in (RerankMethod.POINTWISE, RerankMethod.LIKELIHOOD):
        scores = await client.rerank(method, "a", REGION, [candidate("red")], Budget.of(BUDGET))
        assert scores == [None]


async def test_calls_to_a_failing_server_pause(
    open_clients: OpenClient, server: ModelServer
) -> None:
    client = open_clients(attempts=1, breaker_failures=2, breaker_seconds=600)
    server.answer = lambda exchange: exchange.send({}, 503)
    reasons = []
    for _ in range(4):
        with pytest.raises(Unavailable) as failure:
            await client.describe([LOOK], Budget.of(BUDGET))
        reasons.append(failure.value.reason)
    assert reasons == ["http-503", "http-503", "circuit-open", "circuit-open"]
    assert len(server.requests) == 2


async def test_an_unreachable_server_is_unavailable() -> None:
    with model_server() as stopped:
        pass
    client = open_client(stopped.url, attempts=2)
    with pytest.raises(Unavailable, match="cannot be reached"):
        await client.describe([LOOK], Budget.of(BUDGET))
    await client.close()


async def test_a_hedged_call_overtakes_a_hanging_one(
    open_clients: OpenClient, server: ModelServer, released: threading.Event
) -> None:
    def answer(exchange: Exchange) -> None:
        if len(server.requests) == 1:
            released.wait()
        exchange.say(DESCRIBED)

    server.answer = answer
    client = open_clients(hedge_after_ms=50)
    assert Department.TOP in await client.describe([LOOK], Budget.of(BUDGET))
    assert len(server.requests) == 2


async def test_calls_in_flight_reach_the_limit_and_never_exceed_it(
    open_clients: OpenClient, server: ModelServer
) -> None:
    limit, lock = 3, threading.Lock()
    full = threading.Barrier(limit, timeout=BUDGET)
    in_flight = peak = 0

    def answer(exchange: Exchange) -> None:
        nonlocal in_flight, peak
        with lock:
            in_flight += 1
            peak = max(peak, in_flight)
        full.wait()
        with lock:
            in_flight -= 1
        exchange.send(yes_with(0.5))

    server.answer = answer
    scores = await open_clients(concurrency=limit).rerank(
        RerankMethod.POINTWISE, "a", REGION, [candidate("red")] * 12, Budget.of(BUDGET)
    )
    assert scores == [pytest.approx(0.5)] * 12
    assert peak == limit
