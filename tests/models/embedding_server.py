"""A double of a vLLM server of an embedding model: a pseudo-random vector per content."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tests.doubles import unit_vector
from tests.vlm.model_server import Exchange, ModelServer, model_server


def embedded(vector: Any) -> dict[str, Any]:
    """The answer with this vector."""
    data = base64.b64encode(np.asarray(vector, "<f4").tobytes()).decode()
    return {"object": "list", "data": [{"index": 0, "object": "embedding", "embedding": data}]}


@contextmanager
def embedding_server(dimension: int) -> Iterator[ModelServer]:
    """A server that runs until the end of the block."""

    def answer(exchange: Exchange) -> None:
        content = json.dumps(exchange.body["messages"]).encode()
        exchange.send(embedded(unit_vector(content, dimension)))

    with model_server() as server:
        server.answer = answer
        yield server
