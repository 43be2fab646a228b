"""However the model server fails, a look gets its products and its event says what failed.

Whether a budget is kept to is tested in virtual time (test_deadlines, test_fallback). Here, over
real connections, a server that is too slow does not answer before the look is matched.
"""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest

from operators.matching.parts import MatchParts
from operators.models.vlm.openai_client import OpenAIVisionModel
from operators.vocabulary.taxonomy import Taxonomy
from schemas.attributes import Department
from schemas.looks import LookMatches
from schemas.rerank import RerankMethod
from schemas.settings import VlmSettings
from tests.matching.example_looks import layer, look, match
from tests.matching.painted import painting
from tests.vlm.model_server import Answer, Exchange, ModelServer, model_server

SECONDS = 60.0
"""Ample, so that an immediate failure never counts as late on a busy machine."""
SHORT_SHARE = 0.02
"""Of the budget, for a server that does not answer: about a second."""


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with model_server() as running:
        yield running


@pytest.fixture
def look_matched() -> Iterator[threading.Event]:
    """Set at the end of a test at the latest, so that the server's threads end."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
async def client(server: ModelServer, taxonomy: Taxonomy) -> AsyncIterator[OpenAIVisionModel]:
    settings = VlmSettings(kind="openai", url=server.url)
    model = OpenAIVisionModel(settings, taxonomy, lambda kind: None)
    yield model
    await model.close()


def lie(exchange: Exchange) -> None:
    exchange.say('{"layers":[{"layer":"cape","query":"a cape that nobody wears"}]}')


def answer_after(matched: threading.Event) -> Answer:
    def wait(exchange: Exchange) -> None:
        matched.wait()
        lie(exchange)

    return wait


def with_settings(parts: MatchParts, client: OpenAIVisionModel, **settings: Any) -> MatchParts:
    return replace(parts, vlm=client, settings=parts.settings.model_copy(update=settings))


def assert_the_tagger_described_the_shirt(event: LookMatches) -> None:
    assert layer(event, Department.TOP).query == "red striped shirt with white stripes"
    assert layer(event, Department.TOP).products[0].product.key == "a:shirt"


FAILURES: dict[str, Answer] = {
    "lying": lie,
    "truncating": lambda e: e.say('{"layers":[{"lay'),
    "silent": lambda e: e.say(""),
    "429": lambda e: e.send({}, 429, Retry_After="600"),
    "500": lambda e: e.send({}, 500),
    "too long": lambda e: e.send({}, 400),
    "hanging up": lambda e: e.hang_up(),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_without_a_description_the_tagger_describes(
    parts: MatchParts, server: ModelServer, client: OpenAIVisionModel, failure: str
) -> None:
    server.answer = FAILURES[failure]
    event = await match(look(), with_settings(parts, client), seconds=SECONDS)
    assert "describe:unavailable" in event.degraded
    assert_the_tagger_described_the_shirt(event)


async def test_a_server_that_does_not_answer_is_not_waited_for(
    parts: MatchParts,
    server: ModelServer,
    client: OpenAIVisionModel,
    look_matched: threading.Event,
) -> None:
    server.answer = answer_after(look_matched)
    short = with_settings(parts, client, describe_share=SHORT_SHARE, rerank_share=SHORT_SHARE)
    event = await match(look(), short, seconds=SECONDS)
    assert "describe:deadline" in event.degraded
    assert_the_tagger_described_the_shirt(event)


async def test_without_a_server_the_tagger_describes(parts: MatchParts, taxonomy: Taxonomy) -> None:
    settings = VlmSettings(kind="openai", url="http://127.0.0.1:9/v1")
    client = OpenAIVisionModel(settings, taxonomy, lambda kind: None)
    event = await match(look(), with_settings(parts, client), seconds=SECONDS)
    await client.close()
    assert "describe:unavailable" in event.degraded
    assert_the_tagger_described_the_shirt(event)


def describe_but_judge_by(answer: Answer) -> Answer:
    """Describes the look as asked; ``answer`` answers everything else."""

    def choose(exchange: Exchange) -> None:
        if '"layers"' in json.dumps(exchange.body.get("response_format", {})):
            exchange.say(
                '{"layers":[{"layer":"top","query":"red striped shirt with white stripes"}]}'
            )
        else:
            answer(exchange)

    return choose


BAD_JUDGES: dict[str, tuple[Answer, tuple[str, ...]]] = {
    "429": (lambda e: e.send({}, 429, Retry_After="600"), ("rerank:unavailable",)),
    "500": (lambda e: e.send({}, 500), ("rerank:unavailable",)),
    "too long": (lambda e: e.send({}, 400), ("rerank:unavailable",)),
    "hanging up": (lambda e: e.hang_up(), ("rerank:unavailable",)),
    "no choice": (
        lambda e: e.send({"choices": []}),
        ("rerank:unavailable", "rerank:no-answer"),
    ),
    "another form": (lambda e: e.send([1, 2]), ("rerank:unavailable",)),
    "numbers for words": (
        lambda e: e.send({"choices": [{"message": 1, "logprobs": 2}], "prompt_logprobs": [3, 4]}),
        ("rerank:unavailable", "rerank:no-answer"),
    ),
}
JUDGING_METHODS = [
    method
    for method in RerankMethod
    if method.asks_model and method is not RerankMethod.SCORE  # tests/vlm/test_reranker.py
]


async def with_thumbnails(parts: MatchParts) -> MatchParts:
    for key in ("a:shirt", "a:blouse", "a:t-shirt"):
        await parts.thumbnails.put(key, painting(size=(20, 20)))
    return parts


@pytest.mark.parametrize("method", JUDGING_METHODS)
@pytest.mark.parametrize("failure", BAD_JUDGES)
async def test_a_judge_that_fails_leaves_the_order_by_similarity(
    parts: MatchParts,
    server: ModelServer,
    client: OpenAIVisionModel,
    failure: str,
    method: RerankMethod,
) -> None:
    answer, degradations = BAD_JUDGES[failure]
    server.answer = describe_but_judge_by(answer)
    judged = with_settings(await with_thumbnails(parts), client, rerank=method)
    event = await match(look(), judged, seconds=SECONDS)
    (degradation,) = event.degraded
    assert degradation in degradations
    assert [found.layer for found in event.layers] == [Department.TOP]
    assert event.layers[0].products[0].product.key == "a:shirt"


@pytest.mark.parametrize("method", JUDGING_METHODS)
async def test_a_judge_that_does_not_answer_is_not_waited_for(
    parts: MatchParts,
    server: ModelServer,
    client: OpenAIVisionModel,
    look_matched: threading.Event,
    method: RerankMethod,
) -> None:
    server.answer = describe_but_judge_by(answer_after(look_matched))
    judged = with_settings(
        await with_thumbnails(parts), client, rerank=method, rerank_share=SHORT_SHARE
    )
    event = await match(look(), judged, seconds=SECONDS)
    assert event.degraded == ("rerank:deadline",)
    assert event.layers[0].products[0].product.key == "a:shirt"
