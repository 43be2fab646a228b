"""Products judged by a reranking model, through vLLM's score API."""

from __future__ import annotations

import base64
import io
import math
import threading
from typing import Any

import pytest
from PIL import Image

from operators.budget import Budget
from operators.models.model_server import LARGEST_ANSWER_BYTES
from operators.models.vlm.openai_client import OpenAIVisionModel
from operators.models.vlm.probe import probe_vlm
from operators.models.vlm.reranker import INSTRUCTION
from schemas.attributes import Department
from schemas.errors import DeadlineExceeded, Misconfigured, Unavailable
from schemas.rerank import RerankMethod
from schemas.settings import VlmSettings, load_settings
from tests.vlm.model_server import Exchange, ModelServer, model_server
from tests.vlm.openai_calls import DESCRIBED, LOOK, REGION, OpenClient, candidate, open_client

BUDGET = 60.0
"""Seconds, more than any call here takes."""
CANDIDATES = [candidate("red"), candidate("blue"), candidate("green")]


@pytest.fixture
def client(open_clients: OpenClient, server: ModelServer) -> OpenAIVisionModel:
    return open_clients(score_url=server.url.removesuffix("/v1"), breaker_failures=2)


def scored(*scores: Any, indices: list[Any] | None = None) -> dict[str, Any]:
    """vLLM's answer with these scores."""
    places = range(len(scores)) if indices is None else indices
    data = [
        {"index": index, "object": "score", "score": score}
        for index, score in zip(places, scores, strict=True)
    ]
    return {"id": "score-1", "object": "list", "model": "reranker", "data": data}


async def score(client: OpenAIVisionModel, seconds: float = BUDGET) -> list[float | None]:
    return await client.rerank(
        RerankMethod.SCORE, "red t-shirt", REGION, CANDIDATES, Budget.of(seconds)
    )


async def test_a_layer_is_one_request_in_the_format_of_the_score_api(
    client: OpenAIVisionModel, server: ModelServer
) -> None:
    server.answer = lambda exchange: exchange.send(scored(0.9, 0.2, 0.4))
    assert await score(client) == [0.9, 0.2, 0.4]
    assert server.paths == ["/score"]
    (body,) = server.requests
    assert body["model"] == "Qwen/Qwen3-VL-Reranker-2B"
    assert body["instruction"] == INSTRUCTION
    region, text = body["queries"]["content"]
    assert text == {"type": "text", "text": "red t-shirt"}
    assert decoded(region).size == REGION.size
    assert [len(document["content"]) for document in body["documents"]] == [1, 1, 1]
    colours = [decoded(document["content"][0]).getpixel((8, 8)) for document in body["documents"]]
    assert colours == [Image.open(io.BytesIO(jpeg)).getpixel((8, 8)) for jpeg in CANDIDATES]


def decoded(part: dict[str, Any]) -> Image.Image:
    scheme, _, data = part["image_url"]["url"].partition(",")
    assert (part["type"], scheme) == ("image_url", "data:image/jpeg;base64")
    return Image.open(io.BytesIO(base64.b64decode(data)))


async def test_scores_belong_to_their_index(client: OpenAIVisionModel, server: ModelServer) -> None:
    answer = scored(0.1, 0.2, 0.3, indices=[2, 0, 1])
    server.answer = lambda exchange: exchange.send(answer)
    assert await score(client) == [0.2, 0.3, 0.1]


@pytest.mark.parametrize(
    "value",
    [None, True, "0.5", [], {}, math.nan, math.inf, -math.inf, -0.01, 1.01, 10**400],
)
async def test_what_is_no_probability_is_no_score(
    client: OpenAIVisionModel, server: ModelServer, value: Any
) -> None:
    server.answer = lambda exchange: exchange.send(scored(0.5, value, 1))
    assert await score(client) == [0.5, None, 1.0]


@pytest.mark.parametrize(
    "indices",
    [[], [0, 1], [0, 1, 2, 3], [0, 1, 1], [1, 2, 3], [-1, 0, 1], [0, 1, True], [0, 1, "2"]],
)
async def test_scores_of_other_products_are_not_believed(
    client: OpenAIVisionModel, server: ModelServer, indices: list[Any]
) -> None:
    answer = scored(*[0.5] * len(indices), indices=indices)
    server.answer = lambda exchange: exchange.send(answer)
    with pytest.raises(Unavailable) as refused:
        await score(client)
    assert refused.value.reason == "useless-answer"


@pytest.mark.parametrize("entry", [None, [], 0.5, "0.5", {}])
async def test_entries_that_are_no_scores_are_not_believed(
    client: OpenAIVisionModel, server: ModelServer, entry: Any
) -> None:
    answer = scored(0.5, 0.5, 0.5)
    answer["data"][1] = entry
    server.answer = lambda exchange: exchange.send(answer)
    with pytest.raises(Unavailable):
        await score(client)


async def test_a_transient_failure_is_retried(
    client: OpenAIVisionModel, server: ModelServer
) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.send(scored(0.9, 0.2, 0.4), 503 if len(server.requests) == 1 else 200)

    server.answer = answer
    assert await score(client) == [0.9, 0.2, 0.4]
    assert len(server.requests) == 2


async def test_a_hanging_server_costs_no_more_than_the_budget(
    client: OpenAIVisionModel, server: ModelServer
) -> None:
    released = threading.Event()
    server.answer = lambda exchange: (released.wait(), None)[1]
    try:
        with pytest.raises(DeadlineExceeded):
            await score(client, seconds=0.3)
    finally:
        released.set()


async def test_an_answer_without_end_is_not_read_to_the_end(
    client: OpenAIVisionModel, server: ModelServer
) -> None:
    server.answer = lambda exchange: exchange.send(b" " * (LARGEST_ANSWER_BYTES + 1))
    with pytest.raises(Unavailable) as refused:
        await score(client)
    assert refused.value.reason == "too-large"
    assert len(server.requests) == 1


async def test_looks_are_described_while_the_reranking_model_is_away(
    client: OpenAIVisionModel, server: ModelServer
) -> None:
    def answer(exchange: Exchange) -> None:
        if "documents" in exchange.body:
            exchange.send({"error": "no such model"}, 404)
        else:
            exchange.say(DESCRIBED)

    server.answer = answer
    for _ in range(2):
        assert not client.fails_every_call
        with pytest.raises(Unavailable, match="no such model"):
            await score(client)
    assert client.fails_every_call
    with pytest.raises(Unavailable) as refused:
        await score(client)
    assert refused.value.reason == "circuit-open"
    assert Department.TOP in await client.describe([LOOK], Budget.of(BUDGET))


async def test_results_are_not_shared_with_another_reranking_model(server: ModelServer) -> None:
    clients = [
        open_client(server.url, **changed)
        for changed in (
            {},
            {"score_url": server.url},
            {"score_url": "http://a", "score_model": "b"},
        )
    ]
    assert len({each.fingerprint for each in clients}) == 3
    for each in clients:
        await each.close()


@pytest.mark.parametrize(
    "vlm", [{"kind": "embedded"}, {"kind": "embedded", "score_url": "http://a"}, {"kind": "openai"}]
)
@pytest.mark.parametrize(
    "matching", [{"rerank": "score"}, {"rerank_layers": {Department.TOP: "score"}}]
)
def test_a_score_without_a_server_is_refused(vlm: dict[str, str], matching: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured, match=r"needs .*vlm\.score_url"):
        load_settings(vlm=vlm, matching=matching)


@pytest.mark.parametrize("vlm", [{"kind": "none"}, {"kind": "openai", "score_url": "http://a"}])
def test_a_score_with_a_server_or_without_any_model_is_accepted(vlm: dict[str, str]) -> None:
    load_settings(vlm=vlm, matching={"rerank": "score"})


async def test_the_reranking_models_server_is_checked_too() -> None:
    with model_server() as server:
        settings = VlmSettings(
            kind="openai",
            url=server.url,
            model="double",
            score_url=server.url.removesuffix("/v1"),
            score_model="double",
        )
        await probe_vlm(settings)
        with pytest.raises(Misconfigured, match=r"vlm\.score_model 'other'"):
            await probe_vlm(settings.model_copy(update={"score_model": "other"}))
