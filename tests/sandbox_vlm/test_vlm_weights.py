"""The committed vision-language model, loaded by transformers, on pictures of the sandbox."""

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from transformers import AutoConfig, AutoProcessor

from sandbox.training.clip.dataset import photograph
from sandbox.training.vlm.answerer import Answerer
from sandbox.training.vlm.conversations import DESCRIBE_LOOK, DESCRIBE_PRODUCT
from sandbox.training.vlm.evaluate import accuracy, layers_of
from sandbox.world import describe, draw_look, near_garment, sample_garment, sample_outfit, visible

WEIGHTS = Path(__file__).parents[2] / "sandbox" / "weights" / "vlm"
SEED = 424_242


@pytest.fixture(scope="module")
def model() -> Answerer:
    return Answerer(WEIGHTS)


@pytest.fixture(scope="module")
def processor() -> Any:
    loader: Any = AutoProcessor  # untyped in transformers
    return loader.from_pretrained(WEIGHTS)


def test_looks_are_described_layer_by_layer(model: Answerer) -> None:
    rng = random.Random(SEED)
    outfits = [sample_outfit(rng) for _ in range(12)]
    drawn = [draw_look(outfit, rng) for outfit in outfits]
    answers = model.answers([([look.picture], DESCRIBE_LOOK) for look in drawn])
    described = [layers_of(answer) for answer in answers]
    assert None not in described
    pairs = [
        (garment, (layers or {}).get(name, ""))
        for layers, outfit in zip(described, outfits, strict=True)
        for name, garment in visible(outfit).items()
    ]
    right = accuracy(pairs)
    assert right["type"] >= 0.8
    assert right["colour"] >= 0.85
    assert right["pattern"] >= 0.85


def test_products_are_described(model: Answerer) -> None:
    rng = random.Random(SEED)
    garments = [sample_garment(rng) for _ in range(20)]
    answers = model.answers([([photograph(g, rng)], DESCRIBE_PRODUCT) for g in garments])
    right = accuracy(list(zip(garments, answers, strict=True)))
    assert right["type"] >= 0.8
    assert right["colour"] >= 0.85


def test_a_query_is_likeliest_for_its_own_product(model: Answerer) -> None:
    rng = random.Random(SEED)
    hits = 0
    for _ in range(10):
        garment = sample_garment(rng)
        candidates = [garment, *(near_garment(garment, rng) for _ in range(3))]
        questions = [
            (([photograph(one, rng)], DESCRIBE_PRODUCT), describe(garment)) for one in candidates
        ]
        scores = model.likelihoods(questions)
        hits += scores[0] == max(scores)
    assert hits >= 7  # chance: 2.5


@pytest.mark.parametrize(
    ("size", "tokens"),
    [((256, 384), 24), ((512, 768), 24), ((336, 336), 16), ((40, 40), 16), ((2000, 1999), 16)],
)
def test_the_number_of_tokens_depends_on_the_aspect_ratio_only(
    processor: Any, size: tuple[int, int], tokens: int
) -> None:
    inputs = processor(images=[Image.new("RGB", size)], text=["<|image_pad|>"], return_tensors="pt")
    assert int(inputs["image_grid_thw"].prod()) // 4 == tokens


def test_any_text_survives_the_tokenizer(processor: Any) -> None:
    tokenizer = processor.tokenizer

    @given(text=st.text(max_size=60))
    def survives(text: str) -> None:
        ids = tokenizer(text, add_special_tokens=False).input_ids
        assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == text

    survives()


def test_it_is_a_qwen3_vl() -> None:
    config = AutoConfig.from_pretrained(WEIGHTS)
    assert config.architectures == ["Qwen3VLForConditionalGeneration"]
    assert sum(f.stat().st_size for f in WEIGHTS.iterdir()) < 12 * 2**20
