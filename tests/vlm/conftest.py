from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from operators.models.vlm.openai_client import OpenAIVisionModel
from tests.vlm.model_server import ModelServer, model_server
from tests.vlm.openai_calls import DESCRIBED, OpenClient, open_client


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with model_server() as running:
        running.answer = lambda exchange: exchange.say(DESCRIBED)
        yield running


@pytest.fixture
async def open_clients(server: ModelServer) -> AsyncIterator[OpenClient]:
    """Opens clients of ``server`` with changed settings and closes them after the test."""
    opened: list[OpenAIVisionModel] = []

    def open_one(**changed: object) -> OpenAIVisionModel:
        opened.append(open_client(server.url, **changed))
        return opened[-1]

    yield open_one
    for client in opened:
        await client.close()


@pytest.fixture
def client(open_clients: OpenClient) -> OpenAIVisionModel:
    return open_clients()
