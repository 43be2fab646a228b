"""The committed weights load by open_clip's own factory and do what their card says."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from torch import Tensor

from sandbox.training.clip.codes import agreement, encode
from sandbox.training.clip.evaluate import Encoder
from sandbox.training.clip.model import image_and_patches, to_tensor
from sandbox.training.clip.windows import cut, square_around
from sandbox.world import (
    TYPES,
    Garment,
    describe,
    draw_look,
    draw_product,
    sample_garment,
    sample_outfit,
    visible,
)

FOLDER = Path(__file__).parents[2] / "sandbox" / "weights" / "clip"


@pytest.fixture(scope="module")
def loaded() -> tuple[Any, Any, Any]:
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{FOLDER}")
    model.eval()
    return model, open_clip.get_tokenizer(f"local-dir:{FOLDER}"), preprocess


@pytest.fixture(scope="module")
def encoder(loaded: tuple[Any, Any, Any]) -> Encoder:
    return Encoder(loaded[0], loaded[1])


@pytest.fixture(scope="module")
def garments() -> list[Garment]:
    rng = random.Random(777)
    return list(dict.fromkeys(sample_garment(rng, type=TYPES[i % len(TYPES)]) for i in range(108)))


@pytest.fixture(scope="module")
def photos(loaded: tuple[Any, Any, Any], garments: list[Garment]) -> Tensor:
    """Unit embeddings by the factory's own preprocessing, as the system computes them."""
    model, _, preprocess = loaded
    rng = random.Random(778)
    pictures = torch.stack([preprocess(draw_product(garment, rng, 128)) for garment in garments])
    with torch.no_grad():
        features: Tensor = model.encode_image(pictures, normalize=True)
    return features


def test_the_weights_are_small() -> None:
    assert (FOLDER / "open_clip_model.safetensors").stat().st_size < 12_000_000


@pytest.mark.parametrize(
    "text", ["red t-shirt", "", "赤いTシャツ", "लाल कमीज़", "👗" * 200, "a\x00b"]
)
def test_any_text_encodes_to_a_finite_unit_vector(encoder: Encoder, text: str) -> None:
    with torch.no_grad():
        vector = encoder.texts([text])[0]
    assert torch.isfinite(vector).all()
    assert float(vector.norm()) == pytest.approx(1.0, abs=1e-4)


def test_picture_vectors_have_length_one_and_differ(photos: Tensor) -> None:
    assert torch.allclose(photos.norm(dim=-1), torch.ones(len(photos)), atol=1e-4)
    assert float((photos @ photos.T).fill_diagonal_(0).mean()) < 0.6


def test_patches_share_the_picture_embeddings_space(loaded: tuple[Any, Any, Any]) -> None:
    picture = np.asarray(draw_product(sample_garment(random.Random(1)), random.Random(2), 112))
    with torch.no_grad():
        image, patches, _ = image_and_patches(loaded[0], to_tensor(picture[None]))
        expected = loaded[0].encode_image(to_tensor(picture[None]))
    assert patches.shape == (1, 49, 128)
    assert torch.allclose(image, expected, atol=1e-5)


def test_a_description_finds_its_photograph(
    encoder: Encoder, garments: list[Garment], photos: Tensor
) -> None:
    with torch.no_grad():
        found = (encoder.texts([describe(g) for g in garments]) @ photos.T).argmax(1)
    assert float((found == torch.arange(len(garments))).float().mean()) > 0.85


def test_a_crop_finds_the_photograph_of_what_it_shows(encoder: Encoder) -> None:
    rng = random.Random(779)
    worn: list[Garment] = []
    shown: list[Garment] = []
    crops = []
    for _ in range(15):
        outfit = sample_outfit(rng)
        look = draw_look(outfit, rng)
        pixels = np.asarray(look.picture)
        for name, box in look.boxes.items():
            worn.append(outfit[name])
            shown.append(visible(outfit)[name])
            crops.append(cut(pixels, square_around(box)))
    photographs = np.stack([np.asarray(draw_product(g, rng, 112)) for g in worn])
    stated = np.array([encode(g) for g in shown])
    rows = np.array([encode(g) for g in worn])
    true = agreement(stated, np.ones(stated.shape, np.bool_), rows)[0]
    with torch.no_grad():
        scores = encoder.pictures(np.stack(crops)) @ encoder.pictures(photographs).T
    best = scores.argmax(1).numpy()
    assert true[np.arange(len(best)), best].mean() > 0.7
