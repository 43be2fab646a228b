"""A look gets its event in time whatever the model server does, and the event says what failed."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from test_match import layer, look, match, parts, taxonomy  # noqa: F401  the fixtures

from operators.catalog.taxonomy import Taxonomy
from operators.matching.parts import MatchParts
from operators.models.vlm.openai_client import OpenAIVisionModel
from schemas.attributes import Department
from schemas.settings import VlmSettings

sys.path.append(str(Path(__file__).parents[1] / "vlm"))
from model_server import Exchange, ModelServer, model_server, slowly

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
    "hanging up": (lambda e: e.hang_up(), "describe:unavailable"),
}


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
