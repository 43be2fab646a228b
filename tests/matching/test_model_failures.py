"""A look gets its event in time whatever the model server does, and the event says what failed."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from painted import painting
from test_match import layer, look, match, parts, taxonomy  # noqa: F401  the fixtures

from operators.matching.parts import MatchParts
from operators.models.vlm.openai_client import OpenAIVisionModel
from operators.vocabulary.taxonomy import Taxonomy
from schemas.attributes import Department
from schemas.rerank import RerankMethod
from schemas.settings import VlmSettings

sys.path.append(str(Path(__file__).parents[1] / "vlm"))
from model_server import Answer, Exchange, ModelServer, model_server, slowly

SECONDS = 2.0


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with model_server() as running:
        yield running


def lying(exchange: Exchange) -> None:
    exchange.say('{"layers":[{"layer":"cape","query":"a cape that nobody wears"}]}')


FAILURES = {
    "slow": (slowly(3 * SECONDS, lying), "describe:deadline"),
    "lying": (lying, "describe:unavailable"),
    "truncating": (lambda e: e.say('{"layers":[{"lay'), "describe:unavailable"),
    "silent": (lambda e: e.say(""), "describe:unavailable"),
    "429": (lambda e: e.send({}, 429, Retry_After="60"), "describe:unavailable"),
    "500": (lambda e: e.send({}, 500), "describe:unavailable"),
    "too long": (lambda e: e.send({}, 400), "describe:unavailable"),
    "hanging up": (lambda e: e.hang_up(), "describe:unavailable"),
}
DESCRIBED = '{"layers":[{"layer":"top","query":"red striped shirt with white stripes"}]}'


@pytest.mark.parametrize("failure", FAILURES)
async def test_the_event_comes_in_time_and_says_what_failed(
    parts: MatchParts,  # noqa: F811
    server: ModelServer,
    failure: str,
) -> None:
    server.answer, told = FAILURES[failure]
    settings = VlmSettings(kind="openai", url=server.url)
    client = OpenAIVisionModel(settings, Taxonomy.load(), lambda kind: None)
    began = time.monotonic()
    event = await match(look(), replace(parts, vlm=client), seconds=SECONDS)
    took = time.monotonic() - began
    await client.close()
    assert took <= 1.1 * SECONDS
    assert told in event.degraded
    assert layer(event, Department.TOP).query == "red striped shirt with white stripes"
    assert layer(event, Department.TOP).products[0].product.key == "a:shirt"


def judging_badly(answer: Answer) -> Answer:
    """Describes the look as asked; everything else gets ``answer``."""

    def choose(exchange: Exchange) -> None:
        if '"layers"' in json.dumps(exchange.body.get("response_format", {})):
            exchange.say(DESCRIBED)
        else:
            answer(exchange)

    return choose


BAD_JUDGES: dict[str, Answer] = {
    "slow": slowly(3 * SECONDS, lying),
    "429": lambda e: e.send({}, 429, Retry_After="60"),
    "500": lambda e: e.send({}, 500),
    "too long": lambda e: e.send({}, 400),
    "hanging up": lambda e: e.hang_up(),
    "no choice": lambda e: e.send({"choices": []}),
    "another form": lambda e: e.send([1, 2]),
    "numbers for words": lambda e: e.send(
        {"choices": [{"message": 1, "logprobs": 2}], "prompt_logprobs": [3, 4]}
    ),
}


@pytest.mark.parametrize("method", [m for m in RerankMethod if m.asks_model])
@pytest.mark.parametrize("failure", BAD_JUDGES)
async def test_a_bad_judge_leaves_the_order_by_similarity_in_time(
    parts: MatchParts,  # noqa: F811
    server: ModelServer,
    failure: str,
    method: RerankMethod,
) -> None:
    server.answer = judging_badly(BAD_JUDGES[failure])
    for key in ("a:shirt", "a:blouse", "a:t-shirt"):
        await parts.thumbnails.put(key, painting(size=(20, 20)))
    settings = VlmSettings(kind="openai", url=server.url)
    client = OpenAIVisionModel(settings, Taxonomy.load(), lambda kind: None)
    by = parts.settings.model_copy(update={"rerank": method})
    began = time.monotonic()
    event = await match(look(), replace(parts, vlm=client, settings=by), seconds=SECONDS)
    took = time.monotonic() - began
    await client.close()
    assert took <= 1.1 * SECONDS
    (degraded,) = event.degraded
    assert degraded in ("rerank:unavailable", "rerank:no-answer", "rerank:deadline")
    assert [found.layer for found in event.layers] == [Department.TOP]
    assert event.layers[0].products[0].product.key == "a:shirt"


async def test_nobody_listening_is_told_at_once(parts: MatchParts) -> None:  # noqa: F811
    settings = VlmSettings(kind="openai", url="http://127.0.0.1:9/v1")
    client = OpenAIVisionModel(settings, Taxonomy.load(), lambda kind: None)
    began = time.monotonic()
    event = await match(look(), replace(parts, vlm=client), seconds=SECONDS)
    took = time.monotonic() - began
    await client.close()
    assert took <= 1.1 * SECONDS
    assert "describe:unavailable" in event.degraded
    assert layer(event, Department.TOP).products[0].product.key == "a:shirt"
