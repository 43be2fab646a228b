"""The client of a vLLM server, against a double that is well, slow, wrong, or dying."""

from __future__ import annotations

import base64
import io
import math
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from model_server import Exchange, ModelServer, model_server, slowly
from PIL import Image

from operators.budget import Budget
from operators.models.vlm.messages import jpeg
from operators.models.vlm.openai_client import OpenAIVisionModel
from operators.ports import Picture
from operators.vocabulary.taxonomy import Taxonomy
from schemas.attributes import Department
from schemas.errors import DeadlineExceeded, Misconfigured, Unavailable
from schemas.rerank import RerankMethod
from schemas.settings import VlmSettings

LOOK = Picture(Image.new("RGB", (64, 96), "red"), "hash")
REGION = Image.new("RGB", (32, 32), "red")
DESCRIBED = '{"layers":[{"layer":"top","query":"red t-shirt"}]}'


def candidate(colour: str) -> bytes:
    return jpeg(Image.new("RGB", (16, 16), colour))


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with model_server() as running:
        running.answer = lambda exchange: exchange.say(DESCRIBED)
        yield running


def client_of(server: ModelServer, **changed: Any) -> OpenAIVisionModel:
    settings = VlmSettings.model_validate({"kind": "openai", "url": server.url, **changed})
    return OpenAIVisionModel(settings, Taxonomy.load(), lambda kind: None)


@pytest.fixture
async def client(server: ModelServer) -> AsyncIterator[OpenAIVisionModel]:
    opened = client_of(server)
    yield opened
    await opened.close()


async def test_a_model_taught_one_picture_at_a_time_gets_the_look_alone(
    server: ModelServer,
) -> None:
    client = client_of(server, prompts="sandbox-1")
    await client.describe([LOOK, LOOK], Budget.of(5))
    await client.close()
    (body,) = server.asked
    assert [part["type"] for part in body["messages"][0]["content"]] == ["image_url", "text"]


async def test_a_look_is_described(client: OpenAIVisionModel, server: ModelServer) -> None:
    found = await client.describe([LOOK, LOOK], Budget.of(5))
    assert found[Department.TOP].query == "red t-shirt"
    (body,) = server.asked
    *pictures, text = body["messages"][0]["content"]
    assert [part["type"] for part in pictures] == ["image_url", "image_url"]
    assert text["type"] == "text"
    scheme, _, data = pictures[0]["image_url"]["url"].partition(",")
    assert scheme == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (64, 96)
    assert body["response_format"]["json_schema"]["schema"]["required"] == ["layers"]
    assert body["temperature"] == 0


async def test_the_key_travels_as_a_bearer(server: ModelServer) -> None:
    client = client_of(server, api_key="secret")
    assert client._client.headers["Authorization"] == "Bearer secret"
    await client.close()


def yes_with(probability: float) -> dict[str, Any]:
    tokens = [
        {"token": " Yes", "logprob": math.log(probability * 0.9)},
        {"token": "no", "logprob": math.log((1 - probability) * 0.9)},
        {"token": "maybe", "logprob": math.log(0.1)},
    ]
    content = [{"token": " Yes", "logprob": -0.1, "top_logprobs": tokens}]
    return {"choices": [{"message": {"content": "Yes"}, "logprobs": {"content": content}}]}


async def test_pointwise_is_the_probability_of_yes(
    client: OpenAIVisionModel, server: ModelServer
) -> None:
    by_size = {len(candidate("red")): 0.9, len(candidate("#010203")): 0.2}

    def answer(exchange: Exchange) -> None:
        url = exchange.body["messages"][0]["content"][1]["image_url"]["url"]
        size = len(base64.b64decode(url.partition(",")[2]))
        exchange.send(yes_with(by_size[size]))

    server.answer = answer
    assert len(by_size) == 2
    scores = await client.rerank(
        RerankMethod.POINTWISE,
        "red t-shirt",
        REGION,
        [candidate("red"), candidate("#010203")],
        Budget.of(5),
    )
    assert scores == [pytest.approx(0.9), pytest.approx(0.2)]
    assert "red t-shirt" in server.asked[0]["messages"][0]["content"][-1]["text"]


@pytest.mark.parametrize("answer", [{"choices": [{}]}, {"choices": []}, {}])
async def test_pointwise_without_probabilities_is_no_score(
    client: OpenAIVisionModel, server: ModelServer, answer: dict[str, Any]
) -> None:
    server.answer = lambda exchange: exchange.send(answer)
    asked = client.rerank(RerankMethod.POINTWISE, "a", REGION, [candidate("red")], Budget.of(5))
    if answer == {"choices": [{}]}:
        assert await asked == [None]
    else:
        with pytest.raises(Unavailable):
            await asked


def prompt_logprobs(*tokens: tuple[str, float]) -> dict[str, Any]:
    told = [{str(n): {"logprob": log, "decoded_token": t}} for n, (t, log) in enumerate(tokens)]
    return {"choices": [{"message": {"content": ""}}], "prompt_logprobs": [None, *told]}


async def test_likelihood_counts_the_querys_own_tokens(
    client: OpenAIVisionModel, server: ModelServer
) -> None:
    server.answer = lambda exchange: exchange.send(
        prompt_logprobs(
            ("<|im_start|>", -9.0),
            ("assistant", -9.0),
            ("\n", -9.0),
            ("red", math.log(0.5)),
            (" t", math.log(0.5)),
            ("-shirt", math.log(0.125)),
        )
    )
    (score,) = await client.rerank(
        RerankMethod.LIKELIHOOD, "red t-shirt", REGION, [candidate("red")], Budget.of(5)
    )
    assert score == pytest.approx((0.5 * 0.5 * 0.125) ** (1 / 3))
    (body,) = server.asked
    assert body["messages"][-1] == {"role": "assistant", "content": "red t-shirt"}
    assert body["continue_final_message"] is True
    assert body["add_generation_prompt"] is False


async def test_likelihood_of_other_tokens_is_no_score(
    client: OpenAIVisionModel, server: ModelServer
) -> None:
    server.answer = lambda exchange: exchange.send(prompt_logprobs(("blue", -1.0)))
    scores = await client.rerank(
        RerankMethod.LIKELIHOOD, "red t-shirt", REGION, [candidate("red")], Budget.of(5)
    )
    assert scores == [None]


async def test_listwise_asks_once(client: OpenAIVisionModel, server: ModelServer) -> None:
    server.answer = lambda exchange: exchange.say('{"order":[2,1]}')
    scores = await client.rerank(
        RerankMethod.LISTWISE, "a", REGION, [candidate("red"), candidate("blue")], Budget.of(5)
    )
    assert scores == [0.5, 1.0]
    assert len(server.asked) == 1


async def test_one_lost_candidate_does_not_lose_the_others(server: ModelServer) -> None:
    def answer(exchange: Exchange) -> None:
        if len(server.asked) == 1:
            exchange.send({}, 500)
        else:
            exchange.send(yes_with(0.7))

    server.answer = answer
    client = client_of(server, attempts=1, concurrency=1)
    scores = await client.rerank(
        RerankMethod.POINTWISE, "a", REGION, [candidate("red"), candidate("blue")], Budget.of(5)
    )
    await client.close()
    assert scores == [None, pytest.approx(0.7)]


@pytest.mark.parametrize("failure", ["429", "500", "hang-up", "no-json"])
async def test_a_passing_failure_is_tried_again(
    client: OpenAIVisionModel, server: ModelServer, failure: str
) -> None:
    def answer(exchange: Exchange) -> None:
        if len(server.asked) > 1:
            exchange.say(DESCRIBED)
        elif failure == "hang-up":
            exchange.hang_up()
        elif failure == "no-json":
            exchange.send(b"<html>")
        else:
            exchange.send({}, int(failure))

    server.answer = answer
    assert Department.TOP in await client.describe([LOOK], Budget.of(5))
    assert len(server.asked) == 2


async def test_a_retry_that_does_not_fit_the_budget_is_not_made(
    client: OpenAIVisionModel, server: ModelServer
) -> None:
    server.answer = lambda exchange: exchange.send({}, 429, Retry_After="30")
    began = time.monotonic()
    with pytest.raises(Unavailable, match="429"):
        await client.describe([LOOK], Budget.of(10))
    assert time.monotonic() - began < 5
    assert len(server.asked) == 1


async def test_a_slow_server_is_left_at_the_deadline(
    client: OpenAIVisionModel, server: ModelServer
) -> None:
    server.answer = slowly(3, server.answer)
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        await client.describe([LOOK], Budget.of(0.3))
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_request_too_large_for_the_server_is_this_looks_loss_only(
    client: OpenAIVisionModel, server: ModelServer, status: int
) -> None:
    server.answer = lambda exchange: exchange.send({"error": "prompt is too long"}, status)
    with pytest.raises(Unavailable, match="too long"):
        await client.describe([LOOK], Budget.of(5))
    assert len(server.asked) == 1


async def test_a_request_that_is_refused_is_a_wrong_setting(
    client: OpenAIVisionModel, server: ModelServer
) -> None:
    server.answer = lambda exchange: exchange.send({"error": "no such model"}, 404)
    with pytest.raises(Misconfigured, match="no such model"):
        await client.describe([LOOK], Budget.of(5))


async def test_a_dead_server_is_soon_left_alone(server: ModelServer) -> None:
    client = client_of(server, attempts=1, breaker_failures=2, breaker_seconds=60)
    server.answer = lambda exchange: exchange.send({}, 503)
    reasons = []
    for _ in range(4):
        with pytest.raises(Unavailable) as failed:
            await client.describe([LOOK], Budget.of(5))
        reasons.append(failed.value.reason)
    await client.close()
    assert reasons == ["http-503", "http-503", "circuit-open", "circuit-open"]
    assert len(server.asked) == 2


async def test_nobody_listens() -> None:
    with model_server() as gone:
        pass
    client = client_of(gone, attempts=2)
    with pytest.raises(Unavailable, match="cannot be reached"):
        await client.describe([LOOK], Budget.of(5))
    await client.close()


async def test_a_hedge_overtakes_a_slow_call(server: ModelServer) -> None:
    quick = server.answer

    def answer(exchange: Exchange) -> None:
        (slowly(2, quick) if len(server.asked) == 1 else quick)(exchange)

    server.answer = answer
    client = client_of(server, hedge_after_ms=50)
    began = time.monotonic()
    assert Department.TOP in await client.describe([LOOK], Budget.of(10))
    assert time.monotonic() - began < 1.9
    await client.close()
    assert len(server.asked) == 2


async def test_no_more_calls_than_allowed_are_in_flight(server: ModelServer) -> None:
    inside = most = 0

    def answer(exchange: Exchange) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        time.sleep(0.03)
        inside -= 1
        exchange.send(yes_with(0.5))

    server.answer = answer
    client = client_of(server, concurrency=3)
    await client.rerank(RerankMethod.POINTWISE, "a", REGION, [candidate("red")] * 12, Budget.of(10))
    await client.close()
    assert most <= 3
    assert len(server.asked) == 12
