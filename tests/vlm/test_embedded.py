"""The model in this process, with random weights in a tiny checkpoint of the real format."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import torch
from PIL import Image

from operators.budget import Budget
from operators.models.vlm.embedded import EmbeddedVisionModel
from operators.models.vlm.messages import encode_jpeg
from operators.ports import Picture
from operators.vocabulary.taxonomy import Taxonomy
from sandbox.training.vlm.model import build, save
from schemas.attributes import Department
from schemas.errors import DeadlineExceeded, Misconfigured, Unavailable
from schemas.rerank import RerankMethod
from schemas.settings import VlmSettings

LOOK = Picture(Image.new("RGB", (128, 192), "red"), "hash")
REGION = Image.new("RGB", (64, 64), "red")
CANDIDATES = [
    encode_jpeg(Image.new("RGB", (96, 96), colour)) for colour in ("red", "blue", "white")
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("random-vlm")
    torch.manual_seed(0)
    save(*build(), made)
    return made


def settings_of(folder: Path, **changed: object) -> VlmSettings:
    return VlmSettings.model_validate(
        {"kind": "embedded", "model": str(folder), "prompts": "sandbox-1", **changed}
    )


@pytest.fixture
def repairs() -> Counter[str]:
    return Counter()


@pytest.fixture
async def model(folder: Path, repairs: Counter[str]) -> AsyncIterator[EmbeddedVisionModel]:
    settings = settings_of(folder, longest_description=60)
    opened = EmbeddedVisionModel.load(
        settings, Taxonomy.load(), lambda kind: repairs.update([kind])
    )
    yield opened
    await opened.close()


async def test_even_random_weights_answer_in_the_schema(model: EmbeddedVisionModel) -> None:
    """Only the constrained decoding can make them."""
    try:
        outcome = f"{set(await model.describe([LOOK], Budget.of(60))) - set(Department)}"
    except Unavailable as truncated:  # no layer was complete at the token limit
        outcome = str(truncated)
    assert outcome == "set()" or '{"layers":[' in outcome


async def test_pair_scores_are_probabilities(model: EmbeddedVisionModel) -> None:
    scores = await model.rerank(
        RerankMethod.POINTWISE, "red t-shirt", REGION, CANDIDATES, Budget.of(60)
    )
    assert all(score is not None and 0 < score < 1 for score in scores)


async def test_likelihoods_do_not_depend_on_the_batch(model: EmbeddedVisionModel) -> None:
    """Neither padding nor batching changes them."""

    async def likelihoods(query: str, candidates: list[bytes]) -> list[float | None]:
        return await model.rerank(RerankMethod.LIKELIHOOD, query, REGION, candidates, Budget.of(60))

    together = await likelihoods("red t-shirt", CANDIDATES)
    alone = [(await likelihoods("red t-shirt", [one]))[0] for one in CANDIDATES]
    assert together == pytest.approx(alone, rel=1e-3)
    assert all(score is not None and 0 < score < 1 for score in together)


async def test_an_order_names_only_candidates(model: EmbeddedVisionModel) -> None:
    try:
        scores = await model.rerank(
            RerankMethod.LISTWISE, "red t-shirt", REGION, CANDIDATES, Budget.of(60)
        )
        outcome = f"{len(scores)} scores"
    except Unavailable as unusable:  # it named none of them
        outcome = str(unusable)
    assert outcome == "3 scores" or '{"order":[' in outcome


async def test_an_empty_budget_is_a_deadline_exceeded(model: EmbeddedVisionModel) -> None:
    with pytest.raises(DeadlineExceeded):
        await model.describe([LOOK], Budget.of(0.0))


async def test_the_fingerprint_depends_on_weights_and_prompts(
    model: EmbeddedVisionModel, folder: Path, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    save(*build(), tmp_path)
    other = EmbeddedVisionModel.load(settings_of(tmp_path), Taxonomy.load(), lambda kind: None)
    reworded = EmbeddedVisionModel.load(
        settings_of(folder, prompts="general-3"), Taxonomy.load(), lambda kind: None
    )
    fingerprints = {model.fingerprint, other.fingerprint, reworded.fingerprint}
    await other.close()
    await reworded.close()
    assert len(fingerprints) == 3


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be loaded"):
        EmbeddedVisionModel.load(settings_of(tmp_path), Taxonomy.load(), lambda kind: None)
