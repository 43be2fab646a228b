"""The tiny VLM gives the same answers behind a real vLLM server as in this process."""

from __future__ import annotations

import io
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from uuid import uuid4

import numpy as np
import pytest
import pytest_asyncio

from devservers.registry import WEIGHTS
from devservers.vllm import prefix_cache_tokens
from operators.budget import Budget
from operators.models.vlm.embedded import EmbeddedVisionModel
from operators.models.vlm.openai_client import OpenAIVisionModel
from operators.models.vlm.probe import probe_vlm
from operators.ports import LayerDescription, Picture
from operators.vocabulary.taxonomy import Taxonomy
from sandbox.world import (
    Garment,
    describe,
    draw_look,
    draw_product,
    near_garment,
    sample_garment,
    sample_outfit,
)
from schemas.attributes import Department
from schemas.errors import Misconfigured, Unavailable
from schemas.rerank import RerankMethod
from schemas.settings import VlmSettings
from tests.real.real_servers import ServedModel

pytestmark = pytest.mark.services

LOOKS, CANDIDATES = 50, 8
NEARLY = 2e-3
"""Two float32 implementations of one model differ by the order of their sums."""


@pytest_asyncio.fixture
async def served(vllm: ServedModel) -> AsyncIterator[OpenAIVisionModel]:
    settings = VlmSettings(kind="openai", url=vllm.url, model=vllm.name, prompts="sandbox-1")
    model = OpenAIVisionModel(settings, Taxonomy.load(), lambda kind: None)
    yield model
    await model.close()


@pytest_asyncio.fixture
async def embedded() -> AsyncIterator[EmbeddedVisionModel]:
    settings = VlmSettings(kind="embedded", model=str(WEIGHTS), prompts="sandbox-1")
    model = EmbeddedVisionModel.load(settings, Taxonomy.load(), lambda kind: None)
    yield model
    await model.close()


def looks(many: int) -> list[Picture]:
    """Looks drawn from a fixed seed."""
    rng = random.Random(5)
    return [
        Picture(draw_look(sample_outfit(rng), rng).picture, str(number)) for number in range(many)
    ]


def shelf(garment: Garment, rng: random.Random) -> list[bytes]:
    """Thumbnails (JPEG) of the garment and of similar ones."""
    garments = [garment, *(near_garment(garment, rng) for _ in range(CANDIDATES - 1))]
    files = []
    for one in garments:
        file = io.BytesIO()
        draw_product(one, rng, 256).save(file, "JPEG", quality=95)
        files.append(file.getvalue())
    return files


async def test_looks_are_described_alike(
    served: OpenAIVisionModel, embedded: EmbeddedVisionModel
) -> None:
    pictures = looks(LOOKS)
    alike = 0
    for picture in pictures:
        by_server = await served.describe([picture], Budget.of(60))
        in_process = await embedded.describe([picture], Budget.of(60))
        alike += queries(by_server) == queries(in_process)
    # The server gets the picture as a JPEG: a rounded pixel may change an uncertain word.
    assert alike >= LOOKS - 2


@pytest.mark.parametrize("method", [RerankMethod.LIKELIHOOD, RerankMethod.POINTWISE])
async def test_candidates_are_scored_alike(
    served: OpenAIVisionModel, embedded: EmbeddedVisionModel, method: RerankMethod
) -> None:
    rng = random.Random(11)
    for _ in range(5):
        garment = sample_garment(rng)
        region = draw_product(garment, rng, 160)
        candidates = shelf(garment, rng)
        asked = (method, describe(garment), region, candidates)
        by_server = await served.rerank(*asked, Budget.of(60))
        in_process = await embedded.rerank(*asked, Budget.of(60))
        assert None not in by_server
        tolerance = NEARLY if method is RerankMethod.LIKELIHOOD else 0.1
        np.testing.assert_allclose(by_server, in_process, atol=tolerance)  # type: ignore[arg-type]


@pytest_asyncio.fixture
async def general(vllm: ServedModel) -> AsyncIterator[OpenAIVisionModel]:
    """The same weights, asked with the prompts of models that were not trained on others."""
    settings = VlmSettings(kind="openai", url=vllm.url, model=vllm.name, longest_description=32)
    model = OpenAIVisionModel(settings, Taxonomy.load(), lambda kind: None)
    yield model
    await model.close()


async def test_two_looks_share_what_is_computed_for_the_instructions(
    general: OpenAIVisionModel, vllm: ServedModel
) -> None:
    reused = []
    for picture in looks(2):
        before = reused_tokens(vllm)
        # The answer is cut short: no entry is complete.
        with suppress(Unavailable):
            await general.describe([picture], Budget.of(60))
        reused.append(reused_tokens(vllm) - before)
    assert reused[1] > 0


async def test_products_of_a_layer_share_what_is_computed_for_its_query_and_region(
    general: OpenAIVisionModel, vllm: ServedModel
) -> None:
    rng = random.Random(13)
    garment = sample_garment(rng)
    region = draw_product(garment, rng, 160)
    # Nobody has asked for it before, and it is longer than a block of the cache.
    query = f"{describe(garment)} {uuid4().hex}"
    reused = []
    for candidate in shelf(garment, rng)[:2]:
        before = reused_tokens(vllm)
        asked = (RerankMethod.POINTWISE, query, region, [candidate])
        await general.rerank(*asked, Budget.of(60))
        reused.append(reused_tokens(vllm) - before)
    assert reused[1] > reused[0]


def reused_tokens(vllm: ServedModel) -> float:
    """Tokens of prompts that the server has found in its prefix cache so far."""
    _, found = prefix_cache_tokens(vllm.url)
    return found


async def test_the_probe_finds_the_model_and_reports_a_wrong_one(vllm: ServedModel) -> None:
    settings = VlmSettings(kind="openai", url=vllm.url, model=vllm.name, prompts="sandbox-1")
    await probe_vlm(settings)
    with pytest.raises(Misconfigured, match=vllm.name):
        await probe_vlm(settings.model_copy(update={"model": "another"}))


def queries(described: dict[Department, LayerDescription]) -> dict[Department, str]:
    return {department: layer.query for department, layer in described.items()}
