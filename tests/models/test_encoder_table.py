"""The table of encoders agrees with the architectures and the settings."""

from collections.abc import Callable
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
from operators.models.encoder_table import ENCODERS, EncoderDescription, known_encoder
from schemas.errors import Misconfigured
from schemas.settings import PRESETS, EncoderSettings

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
    "dinov2-large": _dinov2_large,
    "sandbox-clip": lambda: _open_clip(known_encoder("sandbox-clip").checkpoint),
}
"""The full-sized image towers, without weights; the configurations of fashion-clip and SigLIP 2
base are the libraries' defaults."""


@pytest.mark.parametrize("row", ENCODERS, ids=lambda row: row.name)
def test_the_cost_is_that_of_the_architecture(row: EncoderDescription) -> None:
    with torch.device("meta"):
        encode = ARCHITECTURES[row.name]()
        picture = torch.empty(1, 3, row.resolution, row.resolution)
        with FlopCounterMode(display=False) as counter:
            encode(picture)
    assert counter.get_total_flops() / 1e9 == pytest.approx(row.gflops, rel=2e-3)


def test_the_preset_is_a_row_of_the_same_name() -> None:
    production = PRESETS["production"]["encoder"]["model"]
    assert known_encoder(encoder_name(production)).dimension == 1024


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
