"""What the client of a model server sends, and how it reads the answers."""

from __future__ import annotations

import asyncio
import base64
import io
import math
from typing import Any

import pytest
from PIL import Image

from operators.budget import Budget
from operators.models.vlm.openai_client import OpenAIVisionModel
from schemas.attributes import Department
from schemas.errors import Unavailable
from schemas.rerank import RerankMethod
from tests.vlm.model_server import Exchange, ModelServer
from tests.vlm.openai_calls import LOOK, REGION, OpenClient, candidate, yes_with

BUDGET = 60.0
"""Seconds, more than any call here takes."""


async def test_a_model_trained_on_single_pictures_gets_the_look_alone(
    open_clients: OpenClient, server: ModelServer
) -> None:
    await open_clients(prompts="sandbox-1").describe([LOOK, LOOK], Budget.of(BUDGET))
    (body,) = server.requests
    assert [part["type"] for part in body["messages"][0]["content"]] == ["image_url", "text"]


async def test_a_look_is_described(client: OpenAIVisionModel, server: ModelServer) -> None:
    found = await client.describe([LOOK, LOOK], Budget.of(BUDGET))
    assert found[Department.TOP].query == "red t-shirt"
    (body,) = server.requests
    text, *pictures = body["messages"][0]["content"]
    assert [part["type"] for part in pictures] == ["image_url", "image_url"]
    assert text["type"] == "text"
    scheme, _, data = pictures[0]["image_url"]["url"].partition(",")
    assert scheme == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (64, 96)
    assert body["response_format"]["json_schema"]["schema"]["required"] == ["layers"]
    assert body["temperature"] == 0


async def test_the_key_is_sent_as_a_bearer_token(
    open_clients: OpenClient, server: ModelServer
) -> None:
    await open_clients(api_key="secret").describe([LOOK], Budget.of(BUDGET))
    assert server.authorizations == ["Bearer secret"]


async def test_requests_keep_to_their_rate(open_clients: OpenClient, server: ModelServer) -> None:
    client, loop = open_clients(requests_per_second=20), asyncio.get_running_loop()
    started = loop.time()
    await asyncio.gather(*(client.describe([LOOK], Budget.of(BUDGET)) for _ in range(5)))
    assert loop.time() - started >= 4 / 20
    assert len(server.requests) == 5


async def test_pointwise_is_the_probability_of_yes(
    client: OpenAIVisionModel, server: ModelServer
) -> None:
    by_size = {len(candidate("red")): 0.9, len(candidate("#010203")): 0.2}

    def answer(exchange: Exchange) -> None:
        url = exchange.body["messages"][0]["content"][2]["image_url"]["url"]
        size = len(base64.b64decode(url.partition(",")[2]))
        exchange.send(yes_with(by_size[size]))

    server.answer = answer
    assert len(by_size) == 2
    scores = await client.rerank(
        RerankMethod.POINTWISE,
        "red t-shirt",
        REGION,
        [candidate("red"), candidate("#010203")],
        Budget.of(BUDGET),
    )
    assert scores == [pytest.approx(0.9), pytest.approx(0.2)]
    first, second = (request["messages"][0]["content"] for request in server.requests)
    assert first[0]["text"].endswith("red t-shirt")
    # Only the last picture is the candidate's: a server can reuse everything before it.
    assert first[:-1] == second[:-1]


@pytest.mark.parametrize("answer", [{"choices": [{}]}, {"choices": []}, {}])
async def test_pointwise_without_probabilities_gives_no_score(
    client: OpenAIVisionModel, server: ModelServer, answer: dict[str, Any]
) -> None:
    server.answer = lambda exchange: exchange.send(answer)
    scores = client.rerank(
        RerankMethod.POINTWISE, "a", REGION, [candidate("red")], Budget.of(BUDGET)
    )
    if answer == {"choices": [{}]}:
        assert await scores == [None]
    else:
        with pytest.raises(Unavailable):
            await scores


def prompt_logprobs(*tokens: tuple[str, float]) -> dict[str, Any]:
    tokens_by_id = [
        {str(n): {"logprob": log, "decoded_token": t}} for n, (t, log) in enumerate(tokens)
    ]
    return {"choices": [{"message": {"content": ""}}], "prompt_logprobs": [None, *tokens_by_id]}


async def test_likelihood_counts_the_querys_tokens_only(
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
        RerankMethod.LIKELIHOOD, "red t-shirt", REGION, [candidate("red")], Budget.of(BUDGET)
    )
    assert score == pytest.approx((0.5 * 0.5 * 0.125) ** (1 / 3))
    (body,) = server.requests
    assert body["messages"][-1] == {"role": "assistant", "content": "red t-shirt"}
    assert body["continue_final_message"] is True
    assert body["add_generation_prompt"] is False


async def test_likelihood_of_other_tokens_gives_no_score(
    client: OpenAIVisionModel, server: ModelServer
) -> None:
    server.answer = lambda exchange: exchange.send(prompt_logprobs(("blue", -1.0)))
    scores = await client.rerank(
        RerankMethod.LIKELIHOOD, "red t-shirt", REGION, [candidate("red")], Budget.of(BUDGET)
    )
    assert scores == [None]


async def test_listwise_needs_one_call(client: OpenAIVisionModel, server: ModelServer) -> None:
    server.answer = lambda exchange: exchange.say('{"order":[2,1]}')
    scores = await client.rerank(
        RerankMethod.LISTWISE, "a", REGION, [candidate("red"), candidate("blue")], Budget.of(BUDGET)
    )
    assert scores == [0.5, 1.0]
    assert len(server.requests) == 1
