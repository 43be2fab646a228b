"""An encoder on a vLLM server: what is sent, what is believed, and what a failure costs."""

from __future__ import annotations

import base64
import io
from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dataflows.wiring.encoders import load_flow_encoder
from operators.models.encoder_table import known_encoder
from operators.models.fetch import fetch_encoder
from operators.models.vllm_encoder import INSTRUCTION, VllmEncoder
from schemas.errors import Misconfigured, Unavailable
from schemas.settings import EncoderSettings, load_settings
from tests.models.embedding_server import embedded, embedding_server
from tests.vlm.model_server import Exchange, ModelServer, model_server

DIMENSION = 64
PICTURE = Image.new("RGB", (1000, 400), "red")


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with embedding_server(DIMENSION) as running:
        yield running


def settings(server: ModelServer, **changes: Any) -> EncoderSettings:
    given = {"kind": "vllm", "url": server.url, "model": "Qwen/Qwen3-VL-Embedding-2B", **changes}
    return EncoderSettings.model_validate(given)


@pytest.fixture
async def encoder(server: ModelServer) -> AsyncIterator[VllmEncoder]:
    encoder = VllmEncoder.load(settings(server))
    server.requests.clear()
    yield encoder
    await encoder.close()


async def test_pictures_and_texts_are_sent_as_the_model_was_trained(
    encoder: VllmEncoder, server: ModelServer
) -> None:
    vectors = [await encoder.encode_image(PICTURE), await encoder.encode_text("a red shirt")]
    for vector in vectors:
        assert vector.shape == (DIMENSION,)
        assert vector.dtype == np.float32
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)
    assert set(server.paths) == {"/v1/embeddings"}
    contents = []
    for body in server.requests:
        system, user, open_answer = body["messages"]
        assert system == {"role": "system", "content": [{"type": "text", "text": INSTRUCTION}]}
        assert open_answer == {"role": "assistant", "content": [{"type": "text", "text": ""}]}
        assert body["continue_final_message"] is True
        assert body["model"] == "Qwen/Qwen3-VL-Embedding-2B"
        contents += user["content"]
    picture, text = contents
    assert text == {"type": "text", "text": "a red shirt"}
    jpeg = base64.b64decode(picture["image_url"]["url"].partition(",")[2])
    assert Image.open(io.BytesIO(jpeg)).size == (512, 205)
    assert PICTURE.size == (1000, 400)


async def test_the_first_dimensions_are_an_embedding_of_another_fingerprint(
    encoder: VllmEncoder, server: ModelServer
) -> None:
    short = VllmEncoder.load(settings(server, dimensions=32))
    whole, first = await encoder.encode_text("red"), await short.encode_text("red")
    await short.close()
    assert (encoder.dimension, short.dimension, first.shape) == (DIMENSION, 32, (32,))
    assert np.linalg.norm(first) == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(first, whole[:32] / np.linalg.norm(whole[:32]), atol=1e-6)
    assert encoder.fingerprint != short.fingerprint
    assert encoder.fingerprint.startswith("Qwen3-VL-Embedding-2B-")


def test_more_dimensions_than_the_model_has_are_refused(server: ModelServer) -> None:
    with pytest.raises(Misconfigured, match="has 64"):
        VllmEncoder.load(settings(server, dimensions=128))


def entry(value: Any) -> dict[str, Any]:
    return {"data": [{"index": 0, "embedding": value}]}


@pytest.mark.parametrize(
    "answer",
    [
        *(entry(value) for value in (None, "", "!!!!", "AAAA", [0.5] * DIMENSION, 1)),
        *(embedded(np.full(DIMENSION, value)) for value in (np.nan, np.inf, 0.0)),
        embedded(np.ones(DIMENSION // 2)),
        embedded(np.ones(DIMENSION * 2)),
        {"data": []},
        {"data": [None]},
        {"data": embedded(np.ones(DIMENSION))["data"] * 2},
    ],
)
async def test_only_one_finite_vector_of_the_dimension_is_believed(
    encoder: VllmEncoder, server: ModelServer, answer: dict[str, Any]
) -> None:
    server.answer = lambda exchange: exchange.send(answer)
    with pytest.raises(Unavailable) as refused:
        await encoder.encode_text("red")
    assert refused.value.reason == "useless-answer"


async def test_a_refused_picture_fails_alone_while_the_server_answers_others(
    encoder: VllmEncoder, server: ModelServer
) -> None:
    usual = server.answer

    def answer(exchange: Exchange) -> None:
        if "broken" in str(exchange.body["messages"]):
            exchange.send({"error": "too many tokens"}, 400)
        else:
            usual(exchange)

    server.answer = answer
    counts = []
    for _ in range(2):
        with pytest.raises(Unavailable, match="too many tokens") as failed:
            await encoder.encode_text("broken")
        counts.append(failed.value.served)
        await encoder.encode_text("whole")
    assert counts == [("encoder.texts", 0), ("encoder.texts", 1)]


async def test_a_transient_failure_is_retried(encoder: VllmEncoder, server: ModelServer) -> None:
    usual = server.answer

    def answer(exchange: Exchange) -> None:
        if len(server.requests) == 1:
            exchange.send({}, 503)
        else:
            usual(exchange)

    server.answer = answer
    await encoder.encode_image(PICTURE)
    assert len(server.requests) == 2


async def test_patches_are_refused(encoder: VllmEncoder) -> None:
    with pytest.raises(Misconfigured, match="patch tokens"):
        await encoder.encode_patches(PICTURE)


@pytest.mark.parametrize("status", [400, 401, 404, 422])
def test_a_model_that_the_server_refuses_stops_the_start(server: ModelServer, status: int) -> None:
    server.answer = lambda exchange: exchange.send({"error": "no such model"}, status)
    with pytest.raises(Misconfigured, match=r"no such model.*encoder\.model"):
        VllmEncoder.load(settings(server))


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_waited_for(server: ModelServer, status: int) -> None:
    server.answer = lambda exchange: exchange.send({}, status)
    with pytest.raises(Unavailable, match=r"encoder\.url"):
        VllmEncoder.load(settings(server))


def test_a_server_that_is_away_is_waited_for() -> None:
    with model_server() as stopped:
        pass
    with pytest.raises(Unavailable, match="start the server"):
        VllmEncoder.load(settings(stopped))


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"kind": "vllm"}, "Qwen/Qwen3-VL-Embedding-2B"),
        ({"kind": "vllm", "model": "Qwen3-VL-Embedding-8B"}, "Qwen/Qwen3-VL-Embedding-8B"),
        ({"kind": "vllm", "model": "mine/clothes"}, "mine/clothes"),
        ({"kind": "vllm", "model": "vllm:mine/clothes"}, "mine/clothes"),
        ({"model": "vllm:mine/clothes"}, "mine/clothes"),
        ({"model": "Qwen3-VL-Embedding-8B"}, "Qwen/Qwen3-VL-Embedding-8B"),
    ],
)
async def test_flows_ask_the_server_for_the_model_that_is_named(
    server: ModelServer, given: dict[str, str], sent: str
) -> None:
    in_force = load_settings(encoder={"url": server.url, **given}, vlm={"kind": "openai"})
    encoder = load_flow_encoder(in_force, in_force.encoder.model, None)
    assert isinstance(encoder, VllmEncoder)
    await encoder.close()
    assert server.requests[0]["model"] == sent


async def test_a_switch_may_lead_to_an_encoder_in_this_process(server: ModelServer) -> None:
    in_force = load_settings(encoder={"url": server.url, "kind": "vllm"}, vlm={"kind": "openai"})
    encoder = load_flow_encoder(in_force, "sandbox-clip", None)
    assert encoder.dimension == known_encoder("sandbox-clip").dimension
    await encoder.close()


def test_somebody_else_must_find_the_layers(server: ModelServer) -> None:
    in_force = load_settings(encoder={"url": server.url, "kind": "vllm"}, vlm={"kind": "none"})
    with pytest.raises(Misconfigured, match="finds no layers"):
        load_flow_encoder(in_force, in_force.encoder.model, None)


def test_nothing_is_fetched_of_a_served_model(tmp_path: Any) -> None:
    with pytest.raises(Misconfigured, match="served by vLLM"):
        fetch_encoder(known_encoder("Qwen3-VL-Embedding-2B"), tmp_path)
