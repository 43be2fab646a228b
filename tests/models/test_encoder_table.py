"""The table of encoders agrees with the architectures and the settings."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import open_clip
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode
from transformers import (
    CLIPConfig,
    CLIPModel,
    Dinov2Config,
    Dinov2Model,
    SiglipConfig,
    SiglipModel,
)

from operators.models.batching_encoder import TOKENS_PER_CALL, group_by_length
from operators.models.encoder_name import encoder_name
from operators.models.encoder_table import EncoderDescription, known_encoder
from schemas.errors import Misconfigured
from schemas.settings import PRESETS, EncoderSettings
from tests.models.tiny_checkpoints import LOADED

Pictures = torch.Tensor


def _open_clip(name: str) -> Callable[[Pictures], object]:
    model: Any = open_clip.create_model(name, load_weights=False, device="meta")
    encode: Callable[[Pictures], object] = model.encode_image
    return encode


def _dinov2_large() -> Callable[[Pictures], object]:
    config = Dinov2Config(
        image_size=518,
        patch_size=14,
        hidden_size=1024,
        num_hidden_layers=24,
        num_attention_heads=16,
    )
    model: Any = Dinov2Model(config)
    encode: Callable[[Pictures], object] = model.eval()
    return encode


ARCHITECTURES: dict[str, Callable[[], Callable[[Pictures], object]]] = {
    "ViT-H-14-laion2b-s32b-b79k": lambda: _open_clip("ViT-H-14"),
    "fashion-clip": lambda: CLIPModel(CLIPConfig()).get_image_features,
    "marqo-fashionCLIP": lambda: _open_clip("ViT-B-16"),
    "marqo-fashionSigLIP": lambda: _open_clip("ViT-B-16-SigLIP"),
    "siglip2-base-patch16-224": lambda: SiglipModel(SiglipConfig()).get_image_features,
    "siglip2-base-patch16-384": lambda: (
        SiglipModel(SiglipConfig(vision_config={"image_size": 384})).get_image_features
    ),
    "dinov2-large": _dinov2_large,
    "sandbox-clip": lambda: _open_clip(known_encoder("sandbox-clip").checkpoint),
}
"""The full-sized image towers, without weights; the configurations of fashion-clip and SigLIP 2
base are the libraries' defaults."""


@pytest.mark.parametrize("row", LOADED, ids=lambda row: row.name)
def test_the_cost_is_that_of_the_architecture(row: EncoderDescription) -> None:
    with torch.device("meta"):
        encode = ARCHITECTURES[row.name]()
        picture = torch.empty(1, 3, row.resolution, row.resolution)
        with FlopCounterMode(display=False) as counter:
            encode(picture)
    assert counter.get_total_flops() / 1e9 == pytest.approx(row.gflops, rel=2e-3)


@dataclass(frozen=True)
class Sizes:
    """Of a Qwen3-VL, from its configuration."""

    hidden: int
    feed_forward: int
    layers: int


SERVED = {
    "Qwen3-VL-Embedding-2B": (Sizes(1024, 4096, 24), Sizes(2048, 6144, 28)),
    "Qwen3-VL-Embedding-8B": (Sizes(1152, 4304, 27), Sizes(4096, 12288, 36)),
}
"""Row -> its image tower and its language model."""
PROMPT_TOKENS = 30
"""Around the picture: the chat template and the instruction."""


@pytest.mark.parametrize("name", SERVED)
def test_the_cost_of_a_served_model_is_that_of_its_layers(name: str) -> None:
    """By arithmetic: patches of 16 x 16 pixels, four of which become a token by four mergers;
    attention of the language model with 8 key-value heads of 128 values, gated feed-forward."""
    row, (vision, language) = known_encoder(name), SERVED[name]
    patches = (row.resolution // 16) ** 2
    tower = vision.layers * (
        2 * patches * (4 * vision.hidden**2 + 2 * vision.hidden * vision.feed_forward)
        + 4 * patches**2 * vision.hidden
    )
    merged = 4 * vision.hidden
    tower += 4 * 2 * patches // 4 * (merged**2 + merged * language.hidden)
    tower += 2 * patches * vision.hidden * 3 * 2 * 16 * 16
    tokens = patches // 4 + PROMPT_TOKENS
    weights = language.hidden * (2 * language.hidden + 2 * 8 * 128 + 3 * language.feed_forward)
    model = language.layers * (2 * tokens * weights + 4 * tokens**2 * language.hidden)
    assert (tower + model) / 1e9 == pytest.approx(row.gflops, rel=2e-3)
    assert row.dimension == language.hidden


def test_the_preset_is_a_row_of_the_same_name() -> None:
    production = PRESETS["production"]["encoder"]["model"]
    assert known_encoder(encoder_name(production)).dimension == 768


def test_the_default_is_a_row() -> None:
    assert EncoderSettings().model == known_encoder("sandbox-clip").name


def test_a_fetched_folder_keeps_the_name_of_its_row() -> None:
    row = known_encoder("fashion-clip")
    assert encoder_name(row.source) == encoder_name(f"local-dir:var/models/{row.name}") == row.name


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(Misconfigured, match="fashion-clip"):
        known_encoder("fashionclip")


@given(st.lists(st.integers(0, 3 * TOKENS_PER_CALL // 2), max_size=200))
def test_texts_share_calls_within_the_token_budget(lengths: list[int]) -> None:
    calls = list(group_by_length(lengths))
    assert sorted(number for call in calls for number in call) == list(range(len(lengths)))
    for call in calls:
        padded = len(call) * max(lengths[number] for number in call)
        assert padded <= TOKENS_PER_CALL or len(call) == 1
